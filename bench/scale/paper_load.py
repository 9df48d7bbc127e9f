"""Tables of docs/scaling.md: what a million designs a day asks of each part."""

from __future__ import annotations

from typing import Final

from bench.scale.figures import AVERAGE_PER_S, DAY_S, DESIGNS, PEAK_PER_S, Figures, count, number, size, table
from cutline.messaging.topology import Topology

_PARTS: Final = {
    "imaging": ("imaging", "imaging slot"),
    "mockup": ("mockup", "mockup slot"),
    "ingest, all roles": ("ingest",),
    "status": ("status",),
    "PostgreSQL": ("PostgreSQL",),
    "nats-server, one node": ("nats-server",),
    "S3 server, SeaweedFS": ("S3 server",),
}
KEPT_7D: Final = ("jobs", "attempts", "requests")
"""Tables whose rows go a week after the end; all else stays as long as its design."""
_REPLICAS: Final = 3
_FETCHED: Final = 1
"""How often somebody downloads each file of a design: an assumption."""


def mix(figures: Figures) -> str:
    """The artworks, and what each costs."""
    costs = figures.costs
    rows = []
    for name, one in costs["mix"].items():
        cpu_s = {part: each["by_artwork"][name] for part, each in costs["cpu_s"].items()}
        stored = sum(each["by_artwork"][name] for each in costs["stored_bytes"].values())
        peaks = costs["slot_peaks_bytes"]
        rows.append([
            name, f"{100 * one['share']:.0f} %", size(one["bytes"]),
            f"{1e3 * (cpu_s['imaging'] + cpu_s['imaging slot']):,.0f} ms",
            f"{1e3 * (cpu_s['mockup'] + cpu_s['mockup slot']):,.0f} ms",
            f"{1e3 * sum(cpu_s.values()):,.0f} ms", size(stored),
            size(peaks["imaging"]["by_artwork"][name]),
        ])  # fmt: skip
    head = ["artwork", "share", "upload", "CPU imaging", "CPU mockup", "CPU of all parts", "files made", "slot's peak"]
    return table(head, rows)


def processors(figures: Figures) -> str:
    """Cores: CPU seconds of a design times designs a second."""
    rows = []
    for name, parts in _PARTS.items():
        cpu_s = figures.cpu_s(*parts)
        rows.append([name, f"{1e3 * cpu_s:.1f} ms", number(cpu_s * AVERAGE_PER_S), number(cpu_s * PEAK_PER_S)])
    every_s = figures.cpu_s(*figures.costs["cpu_s"])
    rows.append(["all", f"{1e3 * every_s:.0f} ms", number(every_s * AVERAGE_PER_S), number(every_s * PEAK_PER_S)])
    head = ["part", "CPU a design", f"cores at {AVERAGE_PER_S:.1f}/s", f"cores at {PEAK_PER_S:.0f}/s"]
    pods = []
    times = figures.times
    for stage in figures.settings.stages:
        seconds = times.mean_s(stage.stage)
        average, peak = (rate * seconds / stage.slots for rate in (AVERAGE_PER_S, PEAK_PER_S))
        pods.append([
            stage.stage.value, f"{1e3 * seconds:.0f} ms", number(average * stage.slots), number(peak * stage.slots),
            f"{-(-average // 1):.0f}", f"{-(-peak // 1):.0f}", f"{stage.high}",
        ])  # fmt: skip
    slots = [
        "stage",
        "a job in its slot",
        "slots busy",
        "at the peak",
        "pods full",
        "at the peak",
        "most that KEDA starts",
    ]
    return f"{table(head, rows)}\n\n{table(slots, pods)}"


def under_load(figures: Figures) -> str:
    """What other benches measured of the same parts under load."""
    drained, submit, watch = figures.drain["cpu_ms_per_job"]["1 worker"], figures.submit, figures.watch
    held = watch["memory"]["watchers"]["10000"]
    beats = next(one["value"] for one in watch["hold"]["verdicts"] if one["name"].startswith("processor"))
    told_s = watch["latency"]["cores_used"]["status"] / watch["latency"]["changes_per_s"]
    rows = [
        ["one ingest process, known uploads", f"{submit['concurrency 16']['per_s']:,.0f} submits/s", "bench-submit"],
        ["one ingest process, fresh uploads", f"{submit['first submits, 16']['per_s']:,.0f} submits/s", "bench-submit"],
        ["PostgreSQL, 64 jobs under way", f"{drained['postgres']:.2f} ms CPU a job", "bench-drain"],
        ["nats-server, 64 jobs under way", f"{drained['nats']:.2f} ms CPU a job", "bench-drain"],
        ["a worker beside the work itself", f"{drained['workers']:.2f} ms CPU a job", "bench-drain"],
        ["an idle watcher", f"{held['per_watcher_kb']:.1f} kB", "bench-watch"],
        ["heartbeats of 10,000 watchers", f"{beats:.1f} % of a core", "bench-watch"],
        ["a change told to its watcher", f"{1e3 * told_s:.2f} ms CPU", "bench-watch"],
    ]  # fmt: skip
    return table(["part", "measured", "by"], [[part, figure, f"`make {bench}`"] for part, figure, bench in rows])


def postgres(figures: Figures) -> str:
    """Rows, log and disk."""
    counted, kept = figures.costs["postgres_per_design"], figures.costs["kept_bytes"]
    rows = [
        (f"rows {verb}", sum(value for name, value in counted.items() if name.endswith(f" {verb}")))
        for verb in ("inserted", "updated", "deleted")
    ]
    rows.append(("transactions", counted["transactions"]))
    rows.append(("syncs of the log, designs one by one", counted["WAL syncs"]))
    lines = [
        [
            name,
            number(each),
            count(each * DESIGNS),
            f"{number(each * AVERAGE_PER_S)}/s",
            f"{number(each * PEAK_PER_S)}/s",
        ]
        for name, each in rows
    ]
    wal = figures.costs["wal_bytes"]["mean"]
    lines.append(
        [
            "write-ahead log",
            size(wal),
            size(wal * DESIGNS),
            f"{size(wal * AVERAGE_PER_S)}/s",
            f"{size(wal * PEAK_PER_S)}/s",
        ]
    )
    changes = table(["PostgreSQL", "a design", "a day", "average", "peak"], lines)
    week = sum(_kept(kept[name]) for name in KEPT_7D)
    stays = {name: _kept(one) for name, one in kept.items() if name not in KEPT_7D}
    disk = [
        [f"`{name}`", number(kept[name]["rows"]), size(each), f"{100 * each / sum(stays.values()):.0f} %",
         size(each * DESIGNS), size(each * DESIGNS * 365)]
        for name, each in sorted(stays.items(), key=lambda one: -one[1])
    ]  # fmt: skip
    every = sum(stays.values())
    disk.append(["all that stays", "", size(every), "100 %", size(every * DESIGNS), size(every * DESIGNS * 365)])
    disk.append([f"{', '.join(f'`{one}`' for one in KEPT_7D)}, a week", "", size(week), "", size(week * DESIGNS),
                 f"{size(7 * week * DESIGNS)}, never more"])  # fmt: skip
    sizes = table(
        ["kept, with indexes", "rows a design", "bytes a design", "share", "more each day", "after a year"], disk
    )
    return f"{changes}\n\n{sizes}"


def _kept(one: dict[str, float]) -> float:
    return one["rows_bytes"] + one["indexes_bytes"]


def objects(figures: Figures) -> str:
    """Bytes and calls of the object store."""
    stored = {"artwork": figures.artwork_bytes, **figures.stored_bytes}
    rows = [
        [name.lower().replace("_", " "), size(each), size(each * DESIGNS), size(each * DESIGNS * 365)]
        for name, each in sorted(stored.items(), key=lambda one: -one[1])
    ]
    every = sum(stored.values())
    rows.append(["all", size(every), size(every * DESIGNS), size(every * DESIGNS * 365)])
    put, got, head = figures.calls("put") + 1, figures.calls("get"), figures.calls("head")
    fetched = _FETCHED * (len(figures.stored_bytes) - 1 + 4)
    calls = [
        [
            name,
            number(each),
            count(each * DESIGNS),
            f"{number(each * AVERAGE_PER_S)}/s",
            f"{number(each * PEAK_PER_S)}/s",
        ]
        for name, each in (
            ("PUT, the upload included", put),
            ("GET by the services", got),
            ("HEAD", head),
            ("GET by clients: every file once (assumed)", fetched),
        )
    ]
    return (
        f"{table(['stored', 'a design', 'a day', 'after a year'], rows)}\n\n"
        f"{table(['calls', 'a design', 'a day', 'average', 'peak'], calls)}"
    )


def broker(figures: Figures) -> str:
    """Messages, bytes and what the streams hold."""
    said = figures.costs["broker"]
    sums = {
        key: sum(one["mean"] for name, one in said.items() if name.endswith(key))
        for key in ("in_msgs", "out_msgs", "in_bytes", "out_bytes")
    }
    rows = [
        [title, number(sums[key]), f"{number(sums[key] * AVERAGE_PER_S)}/s", f"{number(sums[key] * PEAK_PER_S)}/s"]
        for title, key in (("messages to the broker", "in_msgs"), ("messages from it", "out_msgs"))
    ]
    rows += [
        [title, size(sums[key]), f"{size(sums[key] * AVERAGE_PER_S)}/s", f"{size(sums[key] * PEAK_PER_S)}/s"]
        for title, key in (("bytes to the broker", "in_bytes"), ("bytes from it", "out_bytes"))
    ]
    stored = {name: one for name, one in figures.costs["streams_per_design"].items() if name.endswith("last")}
    synced = sum(stored.values())
    rows.append(
        ["messages stored", number(synced), f"{number(synced * AVERAGE_PER_S)}/s", f"{number(synced * PEAK_PER_S)}/s"]
    )
    head = table(["broker", "a design", "average", "peak"], rows)
    age_days = next(one.max_age_s for one in Topology().streams() if one.name == Topology().events_stream) / DAY_S
    kept, rings = figures.costs["kept_doorbells"], figures.costs["streams_per_design"]
    held = age_days * DESIGNS
    lines = [
        ["doorbells held", number(rings["EVENTS messages"]), count(rings["EVENTS messages"] * held)],
        ["disk, each node", size(rings["EVENTS bytes"]), size(rings["EVENTS bytes"] * held)],
        ["memory alive, each node", size(kept["live_memory_bytes"]), size(kept["live_memory_bytes"] * held)],
        ["memory with the collector's slack", size(kept["memory_bytes"]), size(kept["memory_bytes"] * held)],
    ]
    return f"{head}\n\n{table(['stream of doorbells', 'a design', f'after {age_days:g} days'], lines)}"


def watchers(figures: Figures) -> str:
    """Processes and memory of the status service."""
    stay_s = figures.mean("wall_s", "submit to READY")
    kb = figures.watch["memory"]["watchers"]["10000"]["per_watcher_kb"]
    base = figures.costs["resident_bytes"]["status"]
    pods, each = figures.limits["status pods"], figures.limits["streams a pod"]
    rows = []
    for name, watching in (
        ("one watch a design, to its end, average", AVERAGE_PER_S * stay_s),
        ("the same at the peak", PEAK_PER_S * stay_s),
        ("the same at the peak, a backlog of ten minutes", PEAK_PER_S * 600),
        ("10,000 pages left open", 10_000.0),
        ("100,000 pages left open", 100_000.0),
    ):
        processes = max(1, -(-watching // each))
        memory = processes * base + watching * kb * 1e3
        rows.append([name, count(watching), f"{processes:.0f}", size(memory), f"{pods:.0f}"])
    told = figures.mean("watch", "messages")
    cost = table(["watchers at a time", "streams", "processes", "their memory", "most pods"], rows)
    lines = [
        ["messages to the watcher of a design", number(told), f"{number(told * PEAK_PER_S)}/s"],
        ["bytes to it", size(figures.mean("watch", "bytes")), f"{size(figures.mean('watch', 'bytes') * PEAK_PER_S)}/s"],
        ["doorbells each process hears", number(figures.mean("rings", "status rings heard")),
         f"{number(figures.mean('rings', 'status rings heard') * PEAK_PER_S)}/s"],
    ]  # fmt: skip
    return f"{cost}\n\n{table(['', 'a design', 'at the peak'], lines)}"


def network(figures: Figures) -> str:
    """Bytes between the parts; those of the object store are nearly all."""
    stored = figures.stored_bytes
    made = sum(stored.values())
    flows = {
        "artwork: client to S3": figures.artwork_bytes,
        "artwork: S3 to imaging": figures.artwork_bytes,
        "files: imaging to S3": made - stored["MOCKUP"],
        "cutout and report: S3 to mockup": stored["CUTOUT_PNG"] + stored["REPORT_JSON"],
        "mockups: mockup to S3": stored["MOCKUP"],
        "files: S3 to clients, each once (assumed)": _FETCHED * made,
        "log: PostgreSQL to one replica": figures.costs["wal_bytes"]["mean"],
        "doorbells: to the broker's two other nodes": (_REPLICAS - 1)
        * sum(value for name, value in figures.costs["streams_per_design"].items() if name == "EVENTS bytes"),
    }
    rows = [
        [
            name,
            size(each),
            f"{number(8e-6 * each * AVERAGE_PER_S)} Mbit/s",
            f"{number(8e-6 * each * PEAK_PER_S)} Mbit/s",
        ]
        for name, each in flows.items()
    ]
    return table(["network", "a design", "average", "peak"], rows)

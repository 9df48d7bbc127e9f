"""Writes the Grafana dashboards: `python deploy/monitoring/draw_dashboards.py [--check]`.

A dashboard is here what it shows: rows of panels, each with its unit and its queries. Their JSON, of which nine tenths
are the same everywhere, is made of that and committed, because Grafana and Kubernetes read files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent / "dashboards"

_COLUMNS: Final = 24
_PANEL_HEIGHT: Final = 8
_DATA_SOURCE: Final = MappingProxyType({"type": "prometheus", "uid": "${datasource}"})
_BY_QUEUE: Final = "by (cutline_stage, cutline_lane)"
_QUEUE: Final = "{{cutline_stage}} {{cutline_lane}}"


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph.

    Attributes:
        title: What it shows.
        unit: Grafana's name of the unit.
        queries: PromQL and the legend of its lines.
        about: What to see in it.
    """

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page of rows of panels."""

    uid: str
    title: str
    rows: tuple[tuple[Panel, ...], ...]


def _quantiles(histogram: str, by: str = "", where: str = "") -> tuple[tuple[str, str], ...]:
    """Median and 99th percentile of a histogram."""
    groups = f"le, {by}" if by else "le"
    legend = f" {{{{{by}}}}}" if by else ""
    return tuple(
        (
            f"histogram_quantile({q}, sum by ({groups}) (rate({histogram}_bucket{where}[$__rate_interval])))",
            name + legend,
        )
        for q, name in ((0.5, "p50"), (0.99, "p99"))
    )


def _rate(counter: str, by: str, where: str = "") -> tuple[tuple[str, str], ...]:
    """What a counter grows by in a second, by one label."""
    return ((f"sum by ({by}) (rate({counter}{where}[$__rate_interval]))", f"{{{{{by}}}}}"),)


_FAILED: Final = '{rpc_response_status_code=~"INTERNAL|UNAVAILABLE|UNKNOWN|DATA_LOSS"}'
_RPC: Final = "rpc_server_call_duration_seconds"

DASHBOARDS: Final[Mapping[str, Dashboard]] = MappingProxyType(
    {
        "overview": Dashboard(
            "cutline-overview",
            "Cutline: overview",
            (
                (
                    Panel("Designs accepted", "reqps", _rate("cutline_submits_total", "cutline_outcome")),
                    Panel(
                        "Unfinished designs",
                        "short",
                        (("max(cutline_unfinished_designs)", "designs"),),
                        "What CUTLINE_GLOBAL_CAP bounds.",
                    ),
                    Panel("Attempts ended", "ops", _rate("cutline_jobs_total", "cutline_outcome")),
                ),
                (
                    Panel(
                        "Lag: released, not started",
                        "short",
                        ((f"max {_BY_QUEUE} (cutline_queue_depth)", _QUEUE),),
                        "Near to what the autoscaler sees; it adds what is being worked on.",
                    ),
                    Panel(
                        "Waiting for their turn",
                        "short",
                        ((f"max {_BY_QUEUE} (cutline_queue_waiting)", _QUEUE),),
                        "Held back for fairness, retried later, or scheduled.",
                    ),
                    Panel("Longest wait", "s", ((f"max {_BY_QUEUE} (cutline_queue_wait_seconds)", _QUEUE),)),
                ),
                (
                    Panel("Open dead letters", "short", ((f"max {_BY_QUEUE} (cutline_dead_letters)", _QUEUE),)),
                    Panel(
                        "Outbox",
                        "short",
                        (("max(cutline_outbox_depth)", "messages"),),
                        "Grows while NATS is away; nothing is lost.",
                    ),
                    Panel("Oldest message of the outbox", "s", (("max(cutline_outbox_age_seconds)", "age"),)),
                ),
                (
                    Panel("Processes", "short", (("sum by (job) (up)", "{{job}}"),)),
                    Panel(
                        "Reached",
                        "short",
                        (
                            ("min by (job) (cutline_bus_connected)", "NATS by {{job}}"),
                            ("min(cutline_database_connected)", "PostgreSQL"),
                        ),
                        "1 while every process reaches it.",
                    ),
                    Panel(
                        "Not as declared",
                        "short",
                        (
                            ("max by (cutline_reason) (cutline_topology_differences)", "topology, {{cutline_reason}}"),
                            (
                                "sum by (job) (increase(cutline_bus_violations_total[$__range]))",
                                "refused by NATS, {{job}}",
                            ),
                        ),
                    ),
                ),
            ),
        ),
        "api": Dashboard(
            "cutline-api",
            "Cutline: API",
            (
                (
                    Panel("Calls", "reqps", _rate(f"{_RPC}_count", "rpc_method")),
                    Panel("Calls by code", "reqps", _rate(f"{_RPC}_count", "rpc_response_status_code")),
                    Panel("Calls that failed", "reqps", _rate(f"{_RPC}_count", "rpc_method", _FAILED)),
                ),
                (
                    Panel(
                        "Duration of submits",
                        "s",
                        _quantiles(_RPC, where='{rpc_method="cutline.v1.IngestService/SubmitDesign"}'),
                    ),
                    Panel("Duration of calls, p99", "s", _quantiles(_RPC, "rpc_method")[1:]),
                    Panel("Rows per group commit", "short", _quantiles("cutline_group_commit_size")),
                ),
                (
                    Panel("Messages published", "ops", _rate("cutline_publishes_total", "cutline_outcome")),
                    Panel("From publish to its ack", "s", _quantiles("cutline_publish_duration_seconds")),
                    Panel("Submits by lane", "reqps", _rate("cutline_submits_total", "cutline_lane")),
                ),
            ),
        ),
        "workers": Dashboard(
            "cutline-workers",
            "Cutline: workers",
            (
                (
                    Panel("Workers", "short", (('sum by (job) (up{job=~"imaging|mockup"})', "{{job}}"),)),
                    Panel("Attempts ended", "ops", _rate("cutline_jobs_total", "cutline_stage")),
                    Panel(
                        "Why attempts did not succeed",
                        "ops",
                        _rate("cutline_jobs_total", "cutline_reason", '{cutline_outcome!="SUCCEEDED"}'),
                    ),
                ),
                (
                    Panel("Duration of an attempt", "s", _quantiles("cutline_stage_duration_seconds", "cutline_stage")),
                    Panel(
                        "Duration of steps, p99", "s", _quantiles("cutline_step_duration_seconds", "cutline_step")[1:]
                    ),
                    Panel(
                        "Busy slots",
                        "short",
                        (
                            (
                                "sum by (cutline_stage) (rate(cutline_stage_duration_seconds_sum[$__rate_interval]))",
                                "{{cutline_stage}}",
                            ),
                        ),
                        "Seconds of work in a second: as many slots are busy on average.",
                    ),
                ),
                (
                    Panel("Object store calls", "ops", _rate("cutline_blob_duration_seconds_count", "cutline_outcome")),
                    Panel(
                        "Duration of object store calls",
                        "s",
                        _quantiles("cutline_blob_duration_seconds", "cutline_blob_operation"),
                    ),
                    Panel("Lag", "short", ((f"max {_BY_QUEUE} (cutline_queue_depth)", _QUEUE),)),
                ),
            ),
        ),
        "watching": Dashboard(
            "cutline-watching",
            "Cutline: watching",
            (
                (
                    Panel(
                        "Open streams",
                        "short",
                        (("sum by (cutline_stream_kind) (cutline_watchers)", "{{cutline_stream_kind}}"),),
                    ),
                    Panel(
                        "Open streams of each process",
                        "short",
                        (("sum by (instance) (cutline_watchers)", "{{instance}}"),),
                    ),
                    Panel(
                        "Streams cut because nobody read",
                        "ops",
                        (("sum by (instance) (rate(cutline_slow_readers_total[$__rate_interval]))", "{{instance}}"),),
                    ),
                ),
                (
                    Panel(
                        "Changes told",
                        "ops",
                        (("sum(rate(cutline_changes_told_total[$__rate_interval]))", "changes"),),
                        "Each once in a process, however many watch.",
                    ),
                    Panel(
                        "Rows read for watchers",
                        "ops",
                        _rate("cutline_row_reads_total", "cutline_read_cause"),
                        "Reads by `change` never outgrow the changes told.",
                    ),
                    Panel("Doorbells", "ops", _rate("cutline_rings_total", "cutline_outcome")),
                ),
            ),
        ),
    }
)


def draw(dashboard: Dashboard) -> str:
    """The dashboard as Grafana's JSON."""
    panels = [
        _panel(panel, number=len(row) * line + column + 1, line=line, column=column, columns=len(row))
        for line, row in enumerate(dashboard.rows)
        for column, panel in enumerate(row)
    ]
    drawn = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["cutline"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "links": [
            {"type": "dashboards", "title": "Cutline", "tags": ["cutline"], "asDropdown": True, "keepTime": True}
        ],
        "panels": panels,
    }
    return json.dumps(drawn, indent=2) + "\n"


def _panel(panel: Panel, *, number: int, line: int, column: int, columns: int) -> dict[str, object]:
    width = _COLUMNS // columns
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": dict(_DATA_SOURCE),
        "gridPos": {"x": column * width, "y": line * _PANEL_HEIGHT, "w": width, "h": _PANEL_HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 8}}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": dict(_DATA_SOURCE), "expr": expr, "legendFormat": legend}
            for place, (expr, legend) in enumerate(panel.queries)
        ],
    }


def main(arguments: Sequence[str]) -> int:
    """Writes the files; with `--check` only says which differ, and returns 1 then."""
    drawn = {FOLDER / f"{name}.json": draw(dashboard) for name, dashboard in DASHBOARDS.items()}
    if "--check" in arguments:
        stale = [file.name for file, text in drawn.items() if not file.exists() or file.read_text("utf-8") != text]
        print("\n".join(stale), end="")
        return 1 if stale else 0
    for file, text in drawn.items():
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

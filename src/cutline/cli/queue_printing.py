"""How queues, jobs and dead letters look on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table
from rich.text import Text

from cutline.cli.printing import on_one_line, value_name
from cutline.v1 import design_pb2, job_pb2
from cutline.v1 import queue_service_pb2 as pb

_STATE_STYLES: Final = {"SUCCEEDED": "green", "DEAD": "red", "CANCELLED": "yellow", "RUNNING": "cyan"}
_ID_WIDTH: Final = 36
_NUMBERS: Final = frozenset(
    {"WAITING", "PENDING", "IN FLIGHT", "REDELIVERED", "DEAD", "OLDEST", "PER S", "ATTEMPTS", "NUMBER", "TOOK"}
)


def stats_table(stats: pb.Stats) -> Table:
    """Every stage and lane, one a row."""
    table = _table(
        "STAGE", "LANE", "WAITING", "PENDING", "IN FLIGHT", "REDELIVERED", "DEAD", "OLDEST", "PER S", "PAUSED UNTIL"
    )
    for queue in stats.queues:
        table.add_row(
            stage_name(queue.stage),
            lane_name(queue.lane),
            str(queue.waiting_count),
            str(queue.pending_count),
            str(queue.in_flight_count),
            str(queue.redelivered_count),
            Text(str(queue.dead_count), "red" if queue.dead_count else ""),
            span(queue.oldest_age.ToTimedelta().total_seconds()) if queue.HasField("oldest_age") else "-",
            f"{queue.finished_per_s:.1f}",
            Text(_moment(queue, "pause_until_time"), "yellow"),
        )
    return table


def jobs_table(jobs: Iterable[job_pb2.Job]) -> Table:
    """Jobs, one a row."""
    table = _table("JOB", "TENANT", "STAGE", "LANE", "STATE", "ATTEMPTS", "DESIGN", "MADE")
    for job in jobs:
        table.add_row(
            job.id,
            Text(on_one_line(job.tenant)),
            stage_name(job.stage),
            lane_name(job.lane),
            job_state(job),
            f"{job.attempt_count}/{job.max_attempts}",
            job.design_id,
            _moment(job, "create_time"),
        )
    return table


def job_facts(job: job_pb2.Job) -> Table:
    """One job without its attempts."""
    table = Table(box=None, show_header=False, pad_edge=False)
    facts = [
        ("id", Text(job.id)),
        ("tenant", Text(on_one_line(job.tenant))),
        ("design", Text(f"{job.design_id} (generation {job.generation})")),
        ("stage", Text(f"{stage_name(job.stage)} {lane_name(job.lane)}")),
        ("state", job_state(job)),
        ("attempts", Text(f"{job.attempt_count} of {job.max_attempts} counted")),
        ("publication", Text(str(job.publication))),
        *((name, Text(_moment(job, f"{name}_time"))) for name in ("due", "create", "update", "finish")),
    ]
    for name, value in facts:
        table.add_row(name, value)
    return table


def attempts_table(attempts: Iterable[job_pb2.Attempt]) -> Table:
    """Attempts, one a row."""
    table = _table("NUMBER", "WORKER", "BEGAN", "TOOK", "OUTCOME", "REASON", "WHAT")
    for one in attempts:
        ended = one.HasField("finish_time")
        took_s = (one.finish_time.ToNanoseconds() - one.start_time.ToNanoseconds()) / 1e9
        table.add_row(
            str(one.number),
            Text(on_one_line(one.worker)),
            _moment(one, "start_time"),
            span(took_s) if ended else "-",
            value_name(job_pb2.Attempt.Outcome, one.outcome, "OUTCOME_") if ended else "-",
            Text(on_one_line(one.reason)),
            Text(on_one_line(one.message)),
        )
    return table


def dead_letters_table(letters: Iterable[job_pb2.DeadLetter]) -> Table:
    """Dead letters, one a row."""
    table = _table("DEAD LETTER", "TENANT", "STAGE", "REASON", "ATTEMPTS", "DESIGN", "GIVEN UP", "WHAT")
    for letter in letters:
        table.add_row(
            letter.id,
            Text(on_one_line(letter.tenant or "-")),
            stage_name(letter.stage),
            Text(on_one_line(letter.reason), "red"),
            str(letter.attempt_count),
            letter.design_id or "-",
            _moment(letter, "create_time"),
            Text(on_one_line(letter.message)),
        )
    return table


def by_reason(counts: Mapping[str, int]) -> str:
    """Counts in words, the largest first, such as `5 WORKER_CRASHED, 2 NO_SUBJECT`."""
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{number} {reason}" for reason, number in ordered)


def span(seconds: float) -> str:
    """A span of time in at most two units, such as 3m12s."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for size, unit, smaller, name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // smaller:02d}{name}"
    raise AssertionError


def job_state(job: job_pb2.Job) -> Text:
    """A job's state in its colour."""
    name = value_name(job_pb2.Job.State, job.state, "STATE_")
    return Text(name, _STATE_STYLES.get(name, ""))


def stage_name(number: design_pb2.Stage.ValueType) -> str:
    """A stage such as imaging; a dash where there is none."""
    return value_name(design_pb2.Stage, number, "STAGE_").lower().replace("unspecified", "-")


def lane_name(number: job_pb2.Lane.ValueType) -> str:
    """A lane such as bulk; a dash where there is none."""
    return value_name(job_pb2.Lane, number, "LANE_").lower().replace("unspecified", "-")


def _table(*headings: str) -> Table:
    """A table without lines; an id is never cut short, for it is there to be copied."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(
            heading,
            no_wrap=True,
            justify="right" if heading in _NUMBERS else "left",
            min_width=_ID_WIDTH if heading in {"JOB", "DEAD LETTER"} else None,
        )
    return table


def _moment(message: Message, field: str) -> str:
    """A time in UTC; a dash where it is not set."""
    if not message.HasField(field):
        return "-"
    stamp: Timestamp = getattr(message, field)
    return f"{datetime.fromtimestamp(stamp.seconds, UTC):%Y-%m-%d %H:%M:%S}"

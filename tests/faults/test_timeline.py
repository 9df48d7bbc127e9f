"""The timeline of a design tells everything that was done to it, whatever befell its workers."""

from __future__ import annotations

import signal
from functools import partial
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from bench.faults.farm import Farm
from bench.faults.load import Load
from bench.faults.orders import Deed, Order
from cutline.v1 import design_pb2
from tests.support.polling import until

pytestmark = pytest.mark.timeout(300)

PATIENCE_S = 100.0
STAGES = {design_pb2.STAGE_IMAGING: "imaging", design_pb2.STAGE_MOCKUP: "mockup"}
# What the end of an attempt is called in the timeline, by its outcome; the last line of a run stands for it, too.
ENDS = {
    "SUCCEEDED": {"imaging_done", "ready"},
    "FAILED": {"imaging_failed", "mockup_failed", "failed", "mockups_unavailable"},
    "CRASHED": {"imaging_crashed", "mockup_crashed", "failed", "mockups_unavailable"},
    "INTERRUPTED": {"imaging_interrupted", "mockup_interrupted"},
    "SUPERSEDED": {"imaging_superseded", "mockup_superseded"},
    "CANCELLED": {"cancelled"},
}
RUNNING = """
SELECT worker FROM attempts JOIN jobs USING (job_id) WHERE design_id = $1 AND attempts.finish_time IS NULL
"""
CRASHED = "SELECT count(*) > 0 FROM attempts JOIN jobs USING (job_id) WHERE design_id = $1 AND outcome = 'CRASHED'"
ATTEMPTS = """
SELECT generation, stage, number, worker, outcome
FROM attempts JOIN jobs USING (job_id) WHERE design_id = $1 ORDER BY attempts.start_time
"""


async def test_every_attempt_begins_and_ends_in_the_timeline(farm: Farm, load: Load, tmp_path: Path) -> None:
    """Each attempt that was ever made has its two lines with stage, number and worker, in the order of time.

    One worker is killed, one job crashes until it is mended, one design is cancelled at work, one superseded at work,
    one run again when it was READY.
    """
    cure = tmp_path / "cure"
    kinds = ("killed", "cancelled", "superseded")
    designs = {kind: await load.submit(Order(6_000 + n, hold_s=3.0)) for n, kind in enumerate(kinds)}
    for kind, design_id in designs.items():
        worker = await running(farm, design_id)
        design = await farm.client.designs.get(str(design_id))
        if kind == "killed":
            farm.signal(worker, signal.SIGKILL)
        elif kind == "cancelled":
            await design.cancel()
        else:
            await design.reprocess(width_mm=50)
    designs["mended"] = await load.submit(Order(6_010, deed=Deed.EXIT, cure=str(cure)))
    await until(partial(farm.database.fetchval, CRASHED, designs["mended"]), within_s=PATIENCE_S)
    cure.touch()
    designs["again"] = await load.submit(Order(6_020))
    await load.ended([designs["again"]], within_s=PATIENCE_S)
    await (await farm.client.designs.get(str(designs["again"]))).reprocess(width_mm=50)
    await farm.all_ended(within_s=PATIENCE_S)

    timelines = {kind: await timeline(farm, design_id) for kind, design_id in designs.items()}

    for kind, design_id in designs.items():
        await check_against_attempts(farm, design_id, timelines[kind])
    events = {kind: [entry.event for entry in lines] for kind, lines in timelines.items()}
    plain = ["submitted", "imaging_started", "imaging_done", "mockup_started", "ready"]
    assert events["killed"] == [*plain[:2], "imaging_crashed", *plain[1:]]
    assert events["cancelled"] == [*plain[:2], "cancelled"]
    assert events["superseded"] == [*plain[:2], "imaging_superseded", "resubmitted", *plain[1:]]
    assert events["again"] == [*plain, "resubmitted", *plain[1:]]
    assert events["mended"][:3] == [*plain[:2], "imaging_crashed"]
    assert events["mended"][-4:] == plain[1:]


async def running(farm: Farm, design_id: UUID) -> str:
    """The worker of a design, once one has begun."""
    await until(partial(farm.database.fetchval, RUNNING, design_id), within_s=PATIENCE_S)
    return str(await farm.database.fetchval(RUNNING, design_id))


async def timeline(farm: Farm, design_id: UUID) -> list[design_pb2.TimelineEntry]:
    """A design's timeline, whose revisions and times only grow."""
    design = await farm.client.designs.read(str(design_id), timeline=True)
    lines = list(design.timeline)
    assert all(one.revision < other.revision for one, other in pairwise(lines))
    assert all(one.time.ToNanoseconds() <= other.time.ToNanoseconds() for one, other in pairwise(lines))
    assert lines[-1].state == design.state
    return lines


async def check_against_attempts(farm: Farm, design_id: UUID, lines: list[design_pb2.TimelineEntry]) -> None:
    """Every attempt of the database has one line that begins it and one that ends it, and no line has another's."""
    told = [entry for entry in lines if entry.attempt]
    rows = await farm.database.fetch(ATTEMPTS, design_id)
    assert rows
    for row in rows:
        key = (row["generation"], row["stage"], row["number"])
        own = [entry for entry in told if (entry.generation, STAGES[entry.stage], entry.attempt) == key]
        begun, ended = own
        assert begun.event == f"{row['stage']}_started"
        assert ended.event in ENDS[row["outcome"]]
        assert {begun.worker, ended.worker} == {row["worker"]}
        for entry in own:
            told.remove(entry)
    assert told == []

"""What watchers stand on is broken on purpose: none misses an end, hears a revision fall, or hears one twice."""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from bench.faults.farm import Farm, FarmPlan
from bench.watch_faults.faults import WatchFault, aged, swamped, watch_faults
from bench.watch_faults.rounds import Plan, play
from bench.watch_faults.stage import Crowd
from bench.watch_faults.traffic import Rates

pytestmark = pytest.mark.timeout(300)

REPLICAS = {"ingest": 1, "imaging": 1, "mockup": 1, "status": 2}
CROWD = Crowd(of_one=50, of_all=10)
PLAN = Plan(CROWD, Rates(live=10, changes_per_s=20), calm_s=0.3, patience_s=100)
SWAMP = Plan(CROWD, Rates(live=150, changes_per_s=20, submits_per_s=0), calm_s=0.3, patience_s=100)
FAULTS = watch_faults(nats_away_s=3, status_away_s=5)
NARROW = {
    "CUTLINE_GRPC_MAX_CONNECTION_AGE": "15s",
    "CUTLINE_WATCH_QUEUE": "20",
    "CUTLINE_WATCH_HEARTBEAT": "300s",
}
"""Streams grow old soon, queues are short, and a heartbeat tells the end of a catch-up and nothing else."""


@pytest.fixture(scope="module")
async def wide_farm() -> AsyncIterator[Farm]:
    """Two status processes with production's settings."""
    async with _farm({}) as farm:
        yield farm


@pytest.fixture(scope="module")
async def narrow_farm() -> AsyncIterator[Farm]:
    """Two status processes where streams grow old soon and queues are short."""
    async with _farm(NARROW) as farm:
        yield farm


@asynccontextmanager
async def _farm(settings: dict[str, str]) -> AsyncIterator[Farm]:
    with tempfile.TemporaryDirectory(prefix="cutline-watchers-") as folder:
        async with Farm(Path(folder), FarmPlan(replicas=REPLICAS, settings=settings)) as farm:
            yield farm


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_hides_nothing_from_watchers(wide_farm: Farm, fault: WatchFault, rng: random.Random) -> None:
    """Through a fault every watcher hears every end and deletion, only newer revisions, and of all later changes."""
    found = await play(wide_farm, fault, PLAN, rng)

    assert found.wrong == []
    assert found.recovered_s is not None


async def test_old_streams_go_on_where_they_ended(narrow_farm: Farm, rng: random.Random) -> None:
    """Streams that the service ends for their age come back by its word, and tell what those before did not."""
    found = await play(narrow_farm, WatchFault("streams grow old", partial(aged, 1)), PLAN, rng)

    assert found.wrong == []
    assert found.reconnects > 0


async def test_a_reader_that_fell_behind_catches_up(narrow_farm: Farm, rng: random.Random) -> None:
    """Watchers that did not read while all designs changed many times over are told the last of each."""
    found = await play(narrow_farm, WatchFault("queues overflow", partial(swamped, 3)), SWAMP, rng)

    assert found.wrong == []
    assert found.overflows > 0

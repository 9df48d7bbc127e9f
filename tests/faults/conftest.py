"""A farm of real services for faults: several of each, a short ack_wait, work without pixels."""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.faults.farm import Farm, FarmPlan
from bench.faults.load import Load

ACK_WAIT_S = 2.0
DEADLINE_S = 4.0


@pytest.fixture(scope="session")
async def farm() -> AsyncIterator[Farm]:
    """Two processes of each service, supervised."""
    settings = {
        "CUTLINE_JOB_DEADLINE": f"{DEADLINE_S:g}s",
        "CUTLINE_IMAGING_MEMORY_BYTES": str(512 * 1024**2),
    }
    with tempfile.TemporaryDirectory(prefix="cutline-faults-") as folder:
        async with Farm(Path(folder), FarmPlan(ack_wait_s=ACK_WAIT_S, settings=settings)) as running:
            yield running


@pytest.fixture
async def load(farm: Farm) -> Load:
    """Clients of a farm on which everything runs."""
    await farm.whole()
    return Load(farm)


@pytest.fixture
def rng() -> random.Random:
    """Draws what is drawn by lot, the same in every run."""
    return random.Random(20)  # noqa: S311  (a seeded test, no secret)

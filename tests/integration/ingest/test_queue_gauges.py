"""What waits, how long, and what is dead is shown to whoever scrapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cutline.domain.errors import UnavailableError
from cutline.runtime.environment import ListenAddress
from cutline.runtime.settings import ShellSettings
from cutline.store.dead_letters import bury
from cutline.telemetry.setup import Telemetry
from services.ingest.queue_gauges import QueueGauges
from tests.integration.ingest.parts import Bench

if TYPE_CHECKING:
    from cutline.store.submissions import Submission


def shown(telemetry: Telemetry) -> dict[tuple[str, str], float]:
    """Every sample by the metric's name and its stage and lane."""
    return {
        (sample.name, "/".join(sample.labels.get(f"cutline_{label}", "") for label in ("stage", "lane"))): sample.value
        for family in text_string_to_metric_families(telemetry.exposition().decode())
        for sample in family.samples
    }


async def test_queues_are_shown_by_stage_and_lane(
    lonely_bench: Bench, make: Callable[..., Submission], tenant: str
) -> None:
    """A job that nobody can publish shows by its wait, its outbox row too, and as a dead letter once it is given up."""
    telemetry = Telemetry.of_service("ingest", ShellSettings(ListenAddress("127.0.0.1", 0)))
    gauges, row = QueueGauges(lonely_bench.database, telemetry.metrics), make(tenant)

    await gauges.show()
    assert shown(telemetry)["cutline_outbox_age_seconds", "/"] == 0

    await lonely_bench.submit(row)
    await gauges.show()
    waiting = shown(telemetry)
    assert waiting["cutline_outbox_age_seconds", "/"] > 0
    assert waiting["cutline_queue_wait_seconds", "imaging/standard"] > 0
    assert waiting["cutline_queue_wait_seconds", "imaging/bulk"] == 0
    assert waiting["cutline_queue_waiting", "mockup/standard"] == 0
    assert waiting["cutline_dead_letters", "imaging/standard"] == 0

    async with lonely_bench.database.transaction() as connection:
        await bury(connection, lonely_bench.topology, job_id=row.job_id, reason="NO_SUBJECT", message="It cannot be.")
    await gauges.show()
    buried = shown(telemetry)
    assert buried["cutline_dead_letters", "imaging/standard"] == 1
    assert buried["cutline_queue_wait_seconds", "imaging/standard"] == 0
    assert buried["cutline_database_connected", "/"] == 1


async def test_a_database_that_is_away_is_shown(lonely_bench: Bench) -> None:
    """A database that does not answer is a 0, and the loop is told why."""
    telemetry = Telemetry.of_service("ingest", ShellSettings(ListenAddress("127.0.0.1", 0)))
    gauges = QueueGauges(lonely_bench.database, telemetry.metrics)
    lonely_bench.database.pool.terminate()

    with pytest.raises(UnavailableError):
        await gauges.show()

    assert shown(telemetry)["cutline_database_connected", "/"] == 0

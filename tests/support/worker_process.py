"""A pull worker in a process of its own, for tests that kill or stop it: `python -m tests.support.worker_process`.

Work of the bulk lane is poison: it ends the process. Work of the express lane leaves a file named `begun` in the folder
and waits until there is one named `go`. Any other work is done at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from cutline.domain.states import Lane, Stage
from cutline.messaging.connection import Broker
from cutline.messaging.outcomes import Done, Outcome
from cutline.messaging.publisher import Publisher
from cutline.messaging.settlement import Desk
from cutline.messaging.slot import Slot, SlotPlan
from cutline.messaging.topology import Topology
from cutline.messaging.work import Work
from cutline.messaging.worker import PullWorker
from cutline.runtime.lifecycle import Part, ServiceRuntime, run_service
from cutline.store.attempts import Attempts
from cutline.store.pool import Database
from cutline.store.results import Results
from cutline.telemetry.setup import Telemetry
from tests.integration.messaging.test_worker import RESULTS


class Handler:
    """Does as the job's lane says."""

    def __init__(self, results: Results, folder: Path) -> None:
        self._results = results
        self._folder = folder

    async def __call__(self, work: Work) -> Outcome:
        """Works on a job."""
        if work.claim.lane is Lane.BULK:
            os._exit(66)
        if work.claim.lane is Lane.EXPRESS:
            (self._folder / "begun").touch()
            while not (self._folder / "go").exists():  # noqa: ASYNC110  (another process makes it)
                await asyncio.sleep(0.01)
        return Done(partial(self._results.imaging_done, work.claim, RESULTS, mockups_wanted=False, traceparent=""))


async def _no_outage() -> None:
    return None


def build(environ: Mapping[str, str], runtime: ServiceRuntime) -> list[Part]:
    """Builds the worker; see `cutline.runtime.lifecycle.Build`."""
    name, topology = environ["TEST_WORKER"], Topology(ack_wait_s=float(environ["TEST_ACK_WAIT_S"]))
    telemetry = Telemetry.silent()
    database = Database(environ["TEST_POSTGRES_DSN"], application_name=name)
    broker = Broker(environ["TEST_NATS_URL"], name=name, on_fatal=runtime.fatal)
    publisher = Publisher(broker)
    desk = Desk(
        stage=Stage.IMAGING,
        handler=Handler(Results(database, topology), Path(environ["TEST_FOLDER"])),
        attempts=Attempts(database, topology, worker=name, lease_s=topology.ack_wait_s),
        database=database,
        publisher=publisher,
        topology=topology,
        telemetry=telemetry,
        hard_deadline_s=60.0,
        outage=_no_outage,
    )
    slots = [Slot(SlotPlan()) for _ in range(2)]
    weights = dict.fromkeys(Lane, 1)
    worker = PullWorker(desk, broker, slots, weights=weights, stop_grace_s=0, on_fatal=runtime.fatal)
    return [database, broker, publisher, worker]


if __name__ == "__main__":
    run_service("test-worker", build)

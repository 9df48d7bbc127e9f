"""A worker process as it is deployed, with a handler that does next to nothing: `python -m bench.delivery.worker`.

Everything around the handler is on: attempts, fences, results, outbox, rings, acks, spans, metrics, log lines.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from bench.delivery.burning import burn
from cutline.domain.outputs import BoxMm, CutoutMethod, Geometry, PrintVerdict, SizeSource
from cutline.domain.states import Stage
from cutline.messaging.connection import Broker
from cutline.messaging.outcomes import Done, Outcome
from cutline.messaging.publisher import Publisher
from cutline.messaging.settlement import Desk
from cutline.messaging.slot import Slot, SlotPlan
from cutline.messaging.work import Work
from cutline.messaging.worker import PullWorker
from cutline.messaging.worker_settings import WorkerSettings
from cutline.runtime.environment import EnvReader
from cutline.runtime.http import HttpServer
from cutline.runtime.lifecycle import Part, ServiceRuntime, run_service
from cutline.runtime.settings import NatsSettings, PostgresSettings, ShellSettings
from cutline.store.attempts import Attempts
from cutline.store.pool import Database
from cutline.store.results import ImagingResults, Results
from cutline.telemetry.propagation import traceparent_of_current
from cutline.telemetry.setup import Telemetry

NOTHING: Final = ImagingResults(
    geometry=Geometry(
        cut_width_mm=60.0, cut_height_mm=40.0, art_width_mm=54.0, art_height_mm=34.0, effective_dpi=400.0,
        cut_length_mm=180.0, closing_radius_mm=3.0, pieces=1, holes=0, segments=12, size_source=SizeSource.EXPLICIT,
        canvas_box=BoxMm(1, 2, 58, 36), cut_box=BoxMm(0, 0, 60, 40), shape_min_radius_mm=0.5,
    ),
    findings=(),
    print_verdict=PrintVerdict.PASS,
    cutout_method=CutoutMethod.FLAT,
    cutout_confidence=1.0,
    artifacts=(),
)  # fmt: skip


class Handler:
    """Notes when it was called, burns CPU where that is wanted, and commits an empty result that makes a design READY.

    Args:
        results: Takes the results.
        burn_s: CPU time spent in the slot's process; 0 does nothing and needs no process.
        sleep_s: Time on the clock that a job takes without any work.
        notes: File written at the end: when work began, by design, and the CPU time spent since the first.
    """

    def __init__(self, results: Results, *, burn_s: float, sleep_s: float, notes: Path) -> None:
        self._results = results
        self._burn_s = burn_s
        self._sleep_s = sleep_s
        self._notes = notes
        self._begun: dict[str, float] = {}
        self._cpu_s = 0.0

    async def __call__(self, work: Work) -> Outcome:
        """Does one job."""
        self._cpu_s = self._cpu_s or time.process_time()
        self._begun[str(work.claim.design_id)] = time.time()
        if self._burn_s:
            await work.run(burn, (self._burn_s,))
        if self._sleep_s:
            await asyncio.sleep(self._sleep_s)
        commit = partial(
            self._results.imaging_done,
            work.claim,
            NOTHING,
            mockups_wanted=False,
            traceparent=traceparent_of_current(),
        )
        return Done(commit)

    async def start(self) -> None:
        """Has nothing to begin with."""

    async def stop(self) -> None:
        """Writes the notes."""
        notes = {"begun": self._begun, "cpu_s": time.process_time() - self._cpu_s}
        await asyncio.to_thread(self._notes.write_text, json.dumps(notes))


class LoopSlot(Slot):
    """A slot for a handler that stays on the event loop: it has no process."""

    @property
    def warm(self) -> bool:
        """A job would start at once."""
        return True

    async def start(self) -> None:
        """Has no process to start."""


def build(environ: Mapping[str, str], runtime: ServiceRuntime) -> list[Part]:
    """Builds the worker of the imaging stage; see `cutline.runtime.lifecycle.Build`."""
    env = EnvReader(environ)
    shell, nats, postgres = ShellSettings.read(env), NatsSettings.read(env, user="bench"), PostgresSettings.read(env)
    settings = WorkerSettings.read(env, slots_name="BENCH_SLOTS", memory_name="BENCH_MEMORY_BYTES")
    burn_s = env.number("BENCH_BURN_S", 0, low=0, high=10)
    sleep_s = env.number("BENCH_SLEEP_S", 0, low=0, high=10)
    notes = Path(env.text("BENCH_NOTES", "notes.json"))
    env.finish()
    topology, telemetry = settings.topology, Telemetry.of_service("bench", shell)
    database = Database(
        postgres.dsn, application_name="bench", pool_min=postgres.pool_min, pool_max=postgres.pool_max, plan_once=True
    )
    broker = Broker(nats, name=settings.worker_id, on_fatal=runtime.fatal)
    publisher = Publisher(broker, metrics=telemetry.metrics)
    handler = Handler(Results(database, topology), burn_s=burn_s, sleep_s=sleep_s, notes=notes)
    desk = Desk(
        stage=Stage.IMAGING,
        handler=handler,
        attempts=Attempts(database, topology, worker=settings.worker_id, lease_s=settings.ack_wait_s),
        database=database,
        publisher=publisher,
        topology=topology,
        telemetry=telemetry,
        hard_deadline_s=settings.hard_deadline_s,
        outage=_no_outage,
    )
    make = Slot if burn_s else LoopSlot
    worker = PullWorker(
        desk,
        broker,
        [make(SlotPlan()) for _ in range(settings.slots)],
        weights=settings.lane_weights,
        stop_grace_s=settings.stop_grace_s,
        on_fatal=runtime.fatal,
    )
    runtime.readiness.add_check("postgres", database.problem)
    runtime.readiness.add_check("nats", broker.problem)
    runtime.readiness.add_check("slots", worker.problem)
    http = HttpServer(shell.http_listen, readiness=runtime.readiness, exposition=telemetry.exposition)
    return [telemetry, http, handler, database, broker, publisher, worker]


async def _no_outage() -> None:
    return None


if __name__ == "__main__":
    run_service("bench", build)

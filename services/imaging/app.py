"""The composition root of the imaging worker: every part, in the order in which it starts."""

from __future__ import annotations

from collections.abc import Mapping

from cutline.blobs.store import S3BlobStore
from cutline.domain.states import Stage
from cutline.messaging.connection import Broker
from cutline.messaging.publisher import Publisher
from cutline.messaging.settlement import Desk
from cutline.messaging.slot import Slot, SlotFunction, SlotPlan
from cutline.messaging.topology_check import TopologyCheck
from cutline.messaging.worker import PullWorker
from cutline.runtime.http import HttpServer
from cutline.runtime.lifecycle import Part, ServiceRuntime
from cutline.store.attempts import Attempts
from cutline.store.pool import Database
from cutline.store.results import Results
from cutline.telemetry.setup import Telemetry
from services.imaging.handler import ImagingHandler
from services.imaging.settings import ImagingSettings
from services.imaging.work import run_pipeline


def build(
    environ: Mapping[str, str],
    runtime: ServiceRuntime,
    *,
    pipeline: SlotFunction = run_pipeline,
    warm_up: str = "services.imaging.work:warm_up",
) -> list[Part]:
    """Builds the service; see `cutline.runtime.lifecycle.Build`.

    Args:
        environ: Settings.
        runtime: What the parts tell of their end.
        pipeline: What the slots run; fault tests put work without pixels there.
        warm_up: What they run first, as `module:function`.
    """
    settings = ImagingSettings.from_env(environ)
    work, topology = settings.worker, settings.worker.topology
    telemetry = Telemetry.of_service("imaging", settings.shell)
    database = Database.of(settings.postgres, application_name="imaging", plan_once=True)
    blobs = S3BlobStore(settings.s3, telemetry=telemetry)
    broker = Broker(settings.nats, name=work.worker_id, on_fatal=runtime.fatal, metrics=telemetry.metrics)
    publisher = Publisher(broker, metrics=telemetry.metrics)
    results = Results(database, topology, release_window=work.release_window)
    desk = Desk(
        stage=Stage.IMAGING,
        handler=ImagingHandler(blobs, results, settings.artwork, pipeline=pipeline),
        attempts=Attempts(database, topology, worker=work.worker_id, lease_s=work.ack_wait_s),
        database=database,
        publisher=publisher,
        topology=topology,
        telemetry=telemetry,
        hard_deadline_s=work.hard_deadline_s,
        outage=blobs.outage,
    )
    plan = SlotPlan(
        warm_up=warm_up,
        warm_up_arguments=(
            work.threads,
            str(settings.model_path or ""),
            settings.press.icc if settings.press else b"",
        ),
        memory_limit_bytes=work.memory_limit_bytes,
        recycle_after=work.recycle_after,
        threads=work.threads,
    )
    worker = PullWorker(
        desk,
        broker,
        [Slot(plan) for _ in range(work.slots)],
        weights=work.lane_weights,
        stop_grace_s=work.stop_grace_s,
        on_fatal=runtime.fatal,
    )
    runtime.readiness.add_check("postgres", database.problem)
    runtime.readiness.add_check("nats", broker.problem)
    runtime.readiness.add_check("topology", TopologyCheck(broker, topology).problem)
    runtime.readiness.add_check("slots", worker.problem)
    runtime.readiness.add_check("blobs", blobs.problem, required=False)
    http = HttpServer(settings.shell.http_listen, readiness=runtime.readiness, exposition=telemetry.exposition)
    return [telemetry, http, database, blobs, broker, publisher, worker]

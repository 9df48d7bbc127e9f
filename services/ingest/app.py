"""The composition root of ingest: every part, in the order in which it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cutline.blobs.store import S3BlobStore
from cutline.messaging.connection import Broker
from cutline.messaging.consumers import Consumers
from cutline.messaging.dead_stream import DeadStream
from cutline.messaging.publisher import Publisher
from cutline.messaging.topology_check import TopologyCheck
from cutline.rpc.api_keys import ApiKeyAuthenticator, PostgresApiKeys
from cutline.rpc.server import RpcServer, RpcService
from cutline.runtime.http import HttpServer
from cutline.runtime.lifecycle import BackgroundLoop, Part, ServiceRuntime
from cutline.store.pool import Database
from cutline.telemetry.setup import Telemetry
from cutline.v1.ingest_service_pb2_grpc import add_IngestServiceServicer_to_server
from cutline.v1.queue_service_pb2_grpc import add_QueueServiceServicer_to_server
from services.ingest.artwork_check import ArtworkCheck
from services.ingest.backlog import Backlog
from services.ingest.bus_check import BusCheck
from services.ingest.dispatch import Dispatch
from services.ingest.flusher import Flusher
from services.ingest.handler import IngestHandler
from services.ingest.mover import Mover
from services.ingest.queue_dead_letters import DeadLetters
from services.ingest.queue_discard import Discard
from services.ingest.queue_redrive import Redrive
from services.ingest.queue_rpc import QUEUE_SERVICE, QueueDuties, QueueServicer
from services.ingest.queue_stats import QueueStats
from services.ingest.relay import Relay
from services.ingest.release import Release
from services.ingest.reprocess import Reprocess
from services.ingest.retention import Retention
from services.ingest.rpc import INGEST_SERVICE, IngestServicer
from services.ingest.settings import IngestSettings, Role
from services.ingest.starts import Starts
from services.ingest.sweeper import Sweeper


def build(environ: Mapping[str, str], runtime: ServiceRuntime) -> list[Part]:
    """Builds the service; see `cutline.runtime.lifecycle.Build`."""
    settings = IngestSettings.from_env(environ)
    telemetry = Telemetry.of_service("ingest", settings.shell)
    metrics = telemetry.metrics
    database = Database(
        settings.postgres.dsn,
        application_name="ingest",
        pool_min=settings.postgres.pool_min,
        pool_max=settings.postgres.pool_max,
    )
    blobs = S3BlobStore(settings.s3, telemetry=telemetry)
    topology = settings.topology
    broker = Broker(settings.nats, name="ingest", on_fatal=runtime.fatal, metrics=metrics)
    publisher = Publisher(broker, metrics=metrics)
    dispatch = Dispatch(database, publisher, topology)
    backlog = Backlog(settings.backlog, metrics)
    duties = settings.housekeeping
    flusher = Flusher(
        database=database,
        publisher=publisher,
        topology=topology,
        backlog=backlog,
        metrics=metrics,
        on_waiting=dispatch.tell_waiting,
    )
    handler = IngestHandler(
        database=database,
        blobs=blobs,
        artwork=ArtworkCheck(database, blobs, settings.artwork, telemetry.tracer),
        flusher=flusher,
        reprocess=Reprocess(database=database, dispatch=dispatch, backlog=backlog),
        dispatch=dispatch,
        upload_keep_s=settings.keep.upload_s,
        metrics=metrics,
    )
    drain = asyncio.Event()
    served = []
    if Role.API in settings.roles:
        served.append(
            RpcService(INGEST_SERVICE, add_IngestServiceServicer_to_server, IngestServicer(handler, settings.artwork))
        )
    if Role.ADMIN in settings.roles:
        consumers, stream = Consumers(broker, topology), DeadStream(broker, topology)
        queue = QueueServicer(
            QueueDuties(
                database=database,
                consumers=consumers,
                stats=QueueStats(database, consumers, drain=drain),
                dead_letters=DeadLetters(database, stream),
                redrive=Redrive(database=database, stream=stream, dispatch=dispatch, backlog=backlog),
                discard=Discard(database, stream),
            )
        )
        served.append(RpcService(QUEUE_SERVICE, add_QueueServiceServicer_to_server, queue))
    rpc = RpcServer(
        settings.grpc,
        served,
        authenticator=ApiKeyAuthenticator(PostgresApiKeys(database), development_key=settings.auth.development_key),
        telemetry=telemetry,
        readiness=runtime.readiness,
        drain=drain,
    )

    loops: list[Part] = []
    if Role.HOUSEKEEPING in settings.roles:
        relay = Relay(
            database=database,
            publisher=publisher,
            metrics=metrics,
            interval_s=duties.relay_interval_s,
            age_s=duties.relay_age_s,
        )
        release = Release(
            database=database,
            dispatch=dispatch,
            starts=Starts(broker, topology),
            limits=settings.backlog,
            interval_s=duties.release_interval_s,
        )
        sweeper = Sweeper(
            database=database,
            broker=broker,
            topology=topology,
            dispatch=dispatch,
            interval_s=duties.sweep_interval_s,
            silence_s=duties.silence_s,
        )
        retention = Retention(
            database=database,
            blobs=blobs,
            dispatch=dispatch,
            keep=settings.keep,
            interval_s=duties.retention_interval_s,
        )
        mover = Mover(database=database, broker=broker, publisher=publisher, topology=topology)
        loops = [
            BackgroundLoop("relay", relay.run, fatal=runtime.fatal),
            BackgroundLoop("release", release.run, fatal=runtime.fatal),
            BackgroundLoop("sweeper", sweeper.run, fatal=runtime.fatal),
            BackgroundLoop("mover", mover.run, fatal=runtime.fatal),
            BackgroundLoop("retention", retention.run, fatal=runtime.fatal),
        ]
    runtime.readiness.add_check("postgres", database.problem)
    runtime.readiness.add_check("nats", broker.problem, required=False)
    topology_check = TopologyCheck(broker, topology)
    runtime.readiness.add_check("topology", topology_check.problem, required=False)
    runtime.readiness.add_check("blobs", blobs.problem, required=False)
    bus = BusCheck(broker, topology_check, metrics=metrics)
    http = HttpServer(settings.shell.http_listen, readiness=runtime.readiness, exposition=telemetry.exposition)
    return [
        telemetry,
        http,
        database,
        blobs,
        broker,
        publisher,
        BackgroundLoop("bus", bus.run, fatal=runtime.fatal),
        BackgroundLoop("backlog", lambda: backlog.run(database), fatal=runtime.fatal),
        *loops,
        flusher,
        rpc,
    ]

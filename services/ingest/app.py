"""The composition root of ingest: the parts its roles need, in the order in which they start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from cutline.blobs.store import S3BlobStore
from cutline.messaging.connection import Broker
from cutline.messaging.consumers import Consumers
from cutline.messaging.dead_stream import DeadStream
from cutline.messaging.publisher import Publisher
from cutline.messaging.topology import Topology
from cutline.messaging.topology_check import TopologyCheck
from cutline.rpc.api_keys import ApiKeyAuthenticator, PostgresApiKeys
from cutline.rpc.server import RpcServer, RpcService
from cutline.runtime.http import HttpServer
from cutline.runtime.lifecycle import BackgroundLoop, Part, ServiceRuntime
from cutline.runtime.readiness import Readiness
from cutline.runtime.settings import GrpcSettings
from cutline.store.pool import Database
from cutline.telemetry.metrics import Metrics
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
from services.ingest.queue_gauges import QueueGauges
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


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every role stands on."""

    settings: IngestSettings
    telemetry: Telemetry
    database: Database
    broker: Broker
    publisher: Publisher
    dispatch: Dispatch
    drain: asyncio.Event
    fatal: Callable[[str], None]

    @property
    def topology(self) -> Topology:
        return self.settings.topology

    @property
    def metrics(self) -> Metrics:
        return self.telemetry.metrics

    def loop(self, name: str, run: Callable[[], Awaitable[None]]) -> BackgroundLoop:
        return BackgroundLoop(name, run, fatal=self.fatal)


def build(environ: Mapping[str, str], runtime: ServiceRuntime) -> list[Part]:
    """Builds the service; see `cutline.runtime.lifecycle.Build`."""
    settings = IngestSettings.from_env(environ)
    ground = _ground(settings, runtime)
    runtime.readiness.add_check("postgres", ground.database.problem)
    blobs = S3BlobStore(settings.s3, telemetry=ground.telemetry) if settings.s3 is not None else None
    working = [_bus_check(ground, runtime.readiness)]
    if blobs is not None:
        runtime.readiness.add_check("blobs", blobs.problem, required=False)
        if Role.HOUSEKEEPING in settings.roles:
            working += _housekeeping(ground, blobs)
    if settings.grpc is not None:
        backlog = Backlog(settings.backlog, ground.metrics)
        working.append(ground.loop("backlog", partial(backlog.run, ground.database)))
        served: list[RpcService] = []
        if blobs is not None and Role.API in settings.roles:
            flusher = _flusher(ground, backlog)
            working.append(flusher)
            served.append(_ingest_service(ground, blobs, backlog, flusher))
        if Role.ADMIN in settings.roles:
            served.append(_queue_service(ground, backlog))
        working.append(_rpc_server(ground, settings.grpc, served, runtime.readiness))
    http = HttpServer(settings.shell.http_listen, readiness=runtime.readiness, exposition=ground.telemetry.exposition)
    store = [blobs] if blobs is not None else []
    return [ground.telemetry, http, ground.database, *store, ground.broker, ground.publisher, *working]


def _ground(settings: IngestSettings, runtime: ServiceRuntime) -> _Ground:
    telemetry = Telemetry.of_service("ingest", settings.shell)
    database = Database.of(settings.postgres, application_name="ingest")
    broker = Broker(settings.nats, name="ingest", on_fatal=runtime.fatal, metrics=telemetry.metrics)
    publisher = Publisher(broker, metrics=telemetry.metrics)
    return _Ground(
        settings=settings,
        telemetry=telemetry,
        database=database,
        broker=broker,
        publisher=publisher,
        dispatch=Dispatch(database, publisher, settings.topology),
        drain=asyncio.Event(),
        fatal=runtime.fatal,
    )


def _bus_check(ground: _Ground, readiness: Readiness) -> Part:
    """Watches the broker, which is only missed: what is accepted without it waits in the database."""
    topology_check = TopologyCheck(ground.broker, ground.topology)
    readiness.add_check("nats", ground.broker.problem, required=False)
    readiness.add_check("topology", topology_check.problem, required=False)
    return ground.loop("bus", BusCheck(ground.broker, topology_check, metrics=ground.metrics).run)


def _flusher(ground: _Ground, backlog: Backlog) -> Flusher:
    return Flusher(
        database=ground.database,
        publisher=ground.publisher,
        topology=ground.topology,
        backlog=backlog,
        metrics=ground.metrics,
        on_waiting=ground.dispatch.tell_waiting,
    )


def _ingest_service(ground: _Ground, blobs: S3BlobStore, backlog: Backlog, flusher: Flusher) -> RpcService:
    settings = ground.settings
    handler = IngestHandler(
        database=ground.database,
        blobs=blobs,
        artwork=ArtworkCheck(ground.database, blobs, settings.artwork, ground.telemetry.tracer),
        flusher=flusher,
        reprocess=Reprocess(database=ground.database, dispatch=ground.dispatch, backlog=backlog),
        dispatch=ground.dispatch,
        upload_keep_s=settings.keep.upload_s,
        metrics=ground.metrics,
    )
    return RpcService(INGEST_SERVICE, add_IngestServiceServicer_to_server, IngestServicer(handler, settings.artwork))


def _queue_service(ground: _Ground, backlog: Backlog) -> RpcService:
    database = ground.database
    consumers, stream = Consumers(ground.broker, ground.topology), DeadStream(ground.broker, ground.topology)
    duties = QueueDuties(
        database=database,
        consumers=consumers,
        stats=QueueStats(database, consumers, drain=ground.drain),
        dead_letters=DeadLetters(database, stream),
        redrive=Redrive(database=database, stream=stream, dispatch=ground.dispatch, backlog=backlog),
        discard=Discard(database, stream),
    )
    return RpcService(QUEUE_SERVICE, add_QueueServiceServicer_to_server, QueueServicer(duties))


def _rpc_server(ground: _Ground, grpc: GrpcSettings, served: list[RpcService], readiness: Readiness) -> RpcServer:
    development_key = ground.settings.auth.development_key
    return RpcServer(
        grpc,
        served,
        authenticator=ApiKeyAuthenticator(PostgresApiKeys(ground.database), development_key=development_key),
        telemetry=ground.telemetry,
        readiness=readiness,
        drain=ground.drain,
    )


def _housekeeping(ground: _Ground, blobs: S3BlobStore) -> list[Part]:
    settings, database, broker, topology = ground.settings, ground.database, ground.broker, ground.topology
    timing = settings.housekeeping
    relay = Relay(
        database=database,
        publisher=ground.publisher,
        metrics=ground.metrics,
        interval_s=timing.relay_interval_s,
        age_s=timing.relay_age_s,
    )
    release = Release(
        database=database,
        dispatch=ground.dispatch,
        starts=Starts(broker, topology),
        limits=settings.backlog,
        interval_s=timing.release_interval_s,
    )
    sweeper = Sweeper(
        database=database,
        broker=broker,
        topology=topology,
        dispatch=ground.dispatch,
        interval_s=timing.sweep_interval_s,
        silence_s=timing.silence_s,
    )
    retention = Retention(
        database=database,
        blobs=blobs,
        dispatch=ground.dispatch,
        keep=settings.keep,
        interval_s=timing.retention_interval_s,
    )
    mover = Mover(database=database, broker=broker, publisher=ground.publisher, topology=topology)
    return [
        ground.loop("relay", relay.run),
        ground.loop("release", release.run),
        ground.loop("sweeper", sweeper.run),
        ground.loop("mover", mover.run),
        ground.loop("retention", retention.run),
        ground.loop("queue gauges", QueueGauges(database, ground.metrics).run),
    ]

"""The composition root of the status service: every part, in the order in which it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cutline.blobs.store import S3BlobStore
from cutline.contract.designs import SignedAddress
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.rpc.api_keys import ApiKeyAuthenticator, PostgresApiKeys
from cutline.rpc.refusals import draining
from cutline.rpc.server import RpcServer, RpcService
from cutline.runtime.http import HttpServer
from cutline.runtime.lifecycle import BackgroundLoop, Part, ServiceRuntime
from cutline.store.pool import Database
from cutline.telemetry.setup import Telemetry
from services.status.collector import CalmCollector
from services.status.doorbell import Doorbell
from services.status.frames import FrameMaker
from services.status.hub import Hub
from services.status.resync import Resync
from services.status.rpc import SERVICE, StatusServicer, add_status_service
from services.status.settings import StatusSettings


def build(environ: Mapping[str, str], runtime: ServiceRuntime) -> list[Part]:
    """Builds the service; see `cutline.runtime.lifecycle.Build`."""
    settings = StatusSettings.from_env(environ)
    telemetry = Telemetry.of_service("status", settings.shell)
    http = HttpServer(settings.shell.http_listen, readiness=runtime.readiness, exposition=telemetry.exposition)
    database = Database.of(settings.postgres, application_name="status")
    blobs = S3BlobStore(settings.s3)
    broker = Broker(settings.nats, name="status", on_fatal=runtime.fatal, metrics=telemetry.metrics)

    def sign(object_key: str, file_name: str, media_type: str) -> SignedAddress:
        signed = blobs.presign_get(object_key, file_name=file_name, media_type=media_type)
        return SignedAddress(signed.url, signed.expire_time)

    frames = FrameMaker(sign)
    hub = Hub(database, frames, queue_most=settings.watch.queue_most, telemetry=telemetry)
    resync = Resync(
        database,
        hub,
        bus_connected=lambda: broker.connected,
        pause_s=settings.watch.resync_s,
        pause_alone_s=settings.watch.resync_alone_s,
        metrics=telemetry.metrics,
    )
    Doorbell(broker, Topology(namespace=settings.namespace), hub=hub, resync=resync, metrics=telemetry.metrics)
    servicer = StatusServicer(
        database,
        hub,
        frames,
        sign=sign,
        heartbeat_s=settings.watch.heartbeat_s,
        max_age_s=settings.watch.max_age_s,
    )
    drain = asyncio.Event()
    rpc = RpcServer(
        settings.grpc,
        [RpcService(SERVICE, add_status_service, servicer)],
        authenticator=ApiKeyAuthenticator(PostgresApiKeys(database), development_key=settings.auth.development_key),
        telemetry=telemetry,
        readiness=runtime.readiness,
        drain=drain,
    )

    async def end_watches() -> None:
        await drain.wait()
        hub.topics.close(draining())
        await asyncio.Event().wait()  # the loop's own end would count as a failure

    runtime.readiness.add_check("postgres", database.problem)
    runtime.readiness.add_check("nats", broker.problem, required=False)
    return [
        telemetry,
        http,
        database,
        blobs,
        broker,
        BackgroundLoop("reads", hub.run, fatal=runtime.fatal),
        BackgroundLoop("resync", resync.run, fatal=runtime.fatal),
        BackgroundLoop("drain", end_watches, fatal=runtime.fatal),
        rpc,
        CalmCollector(),
    ]

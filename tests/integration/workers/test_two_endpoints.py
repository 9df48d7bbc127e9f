"""An object store with two names: clients see one of them only, and services use the other one only."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageDraw

from cutline.client import AsyncClient, ClientSettings
from cutline.embedded.servers import EmbeddedServers
from cutline.runtime.lifecycle import Build, Lifecycle, ServiceRuntime
from services.imaging.app import build as build_imaging
from services.ingest.app import build as build_ingest
from services.status.app import build as build_status
from tests.integration.ingest.service import put_topology, rpc_port, store_key
from tests.support.relay import Relay

PUBLIC_HOST = "localhost"
_REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (/\S*) HTTP/1\.1\r\n")


def _requests(relay: Relay) -> list[tuple[str, str]]:
    """Method and path, with the query, of what was asked of the store by one of its names."""
    return [(method.decode(), path.decode()) for method, path in _REQUEST.findall(b"".join(relay.asked))]


def _hosts(relay: Relay) -> set[str]:
    return {host.decode() for host in re.findall(rb"\r\n[Hh]ost: (\S+)\r\n", b"".join(relay.asked))}


@dataclass(frozen=True, slots=True)
class TwoNames:
    """Ingest, imaging and status with a store that they and their clients know by different names.

    Attributes:
        client: Of the services.
        inner: What services asked of the store.
        public: What clients asked of it.
    """

    client: AsyncClient
    inner: Relay
    public: Relay

    @property
    def public_address(self) -> str:
        """Host and port of the public name."""
        return f"{PUBLIC_HOST}:{self.public.target.rpartition(':')[2]}"


@pytest.fixture
async def two_names(
    servers: EmbeddedServers, service_environment: Mapping[str, str], tenant: str
) -> AsyncIterator[TwoNames]:
    """The services, with a relay behind each name of the store."""
    await put_topology(service_environment["CUTLINE_NATS_URL"])
    store = servers.environment()["CUTLINE_S3_ENDPOINT"].removeprefix("http://")
    async with AsyncExitStack() as stack:
        inner, public = [await stack.enter_async_context(Relay(store)) for _ in range(2)]
        environ = {
            **service_environment,
            "CUTLINE_S3_ENDPOINT": f"http://{inner.target}",
            "CUTLINE_S3_PUBLIC_ENDPOINT": f"http://{PUBLIC_HOST}:{public.target.rpartition(':')[2]}",
            "CUTLINE_GRPC_LISTEN": "127.0.0.1:0",
            "CUTLINE_HTTP_LISTEN": "127.0.0.1:0",
        }
        await _run(build_imaging, environ, stack)
        ingest, status = [await _run(build, environ, stack) for build in (build_ingest, build_status)]
        key = await store_key(service_environment["CUTLINE_POSTGRES_DSN"], tenant)
        client = await stack.enter_async_context(AsyncClient(ClientSettings(ingest, status, key)))
        yield TwoNames(client, inner, public)


async def _run(build: Build, environ: Mapping[str, str], stack: AsyncExitStack) -> str:
    """Starts a service; its gRPC target, if it has one."""
    runtime = ServiceRuntime()
    parts = build(environ, runtime)
    await stack.enter_async_context(Lifecycle(parts))
    runtime.readiness.begin()
    return "" if build is build_imaging else f"127.0.0.1:{rpc_port(parts)}"


def _disc() -> bytes:
    picture = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(picture).ellipse((40, 40, 260, 260), fill="#2a9d8f")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


async def test_clients_use_the_public_name_and_services_the_inner_one(two_names: TwoNames, tmp_path: Path) -> None:
    """Signed PUT and GET addresses name the public host and work; no service asks there, no client asks inside."""
    design = await two_names.client.designs.submit(_disc(), filename="disc.png", width_mm=50, mockup_scenes=())
    ended = await design.wait(timeout_s=60)
    files = await design.download(tmp_path)

    assert len(files) == len(ended.artifacts) > 3
    assert {urlsplit(artifact.url).netloc for artifact in ended.artifacts} == {two_names.public_address}
    asked_outside, asked_inside = _requests(two_names.public), _requests(two_names.inner)
    assert [method for method, _ in asked_outside] == ["PUT"] + ["GET"] * len(files)
    assert all("X-Amz-Signature=" in path for _, path in asked_outside)
    assert _hosts(two_names.public) == {two_names.public_address}
    assert {"HEAD", "GET", "PUT"} <= {method for method, _ in asked_inside}
    assert not any("X-Amz-Signature=" in path for _, path in asked_inside)
    assert _hosts(two_names.inner) == {two_names.inner.target}

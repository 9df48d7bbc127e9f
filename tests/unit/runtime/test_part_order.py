"""The order in which services let go: callers and jobs first, then what those still need, the probes last."""

from __future__ import annotations

import pytest

from cutline.runtime.lifecycle import Build, Part, ServiceRuntime
from services.imaging.app import build as build_imaging
from services.ingest.app import build as build_ingest
from services.mockup.app import build as build_mockup
from services.status.app import build as build_status
from tests.unit.runtime.test_service_settings import SOUND

_LAST = ["Database", "HttpServer", "Telemetry"]
_BUS = ["Publisher", "Broker"]


def _stop_order(build: Build, roles: str = "") -> list[str]:
    """The kinds of parts, the first to stop first; those that only loop are left out."""
    environ = {**SOUND, "CUTLINE_HTTP_LISTEN": "127.0.0.1:0", "CUTLINE_GRPC_LISTEN": "127.0.0.1:0"}
    parts: list[Part] = list(build(environ | ({"CUTLINE_INGEST_ROLES": roles} if roles else {}), ServiceRuntime()))
    kinds = [type(part).__name__ for part in reversed(parts)]
    return [kind for kind in kinds if kind not in {"BackgroundLoop", "CalmCollector"}]


@pytest.mark.parametrize(
    ("roles", "kinds"),
    [
        ("api", ["RpcServer", "Flusher", *_BUS, "S3BlobStore", *_LAST]),
        ("admin", ["RpcServer", *_BUS, *_LAST]),
        ("housekeeping", [*_BUS, "S3BlobStore", *_LAST]),
    ],
)
async def test_ingest_lets_go_of_callers_first(roles: str, kinds: list[str]) -> None:
    """Calls end, what they had accepted is flushed, then bus, store and database close; probes answer to the end."""
    assert _stop_order(build_ingest, roles) == kinds


async def test_status_lets_go_of_callers_first() -> None:
    """Streams end while the database and the bus are still there."""
    assert _stop_order(build_status) == ["RpcServer", "Broker", "S3BlobStore", *_LAST]


@pytest.mark.parametrize("build", [build_imaging, build_mockup])
async def test_workers_end_their_jobs_first(build: Build) -> None:
    """Running jobs can still commit, publish and ack."""
    assert _stop_order(build) == ["PullWorker", *_BUS, "S3BlobStore", *_LAST]

"""What runs: the kinds of processes, as deployments have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from cutline.messaging.permissions import BusUser


@dataclass(frozen=True, slots=True)
class Deployment:
    """One kind of process.

    Attributes:
        name: What its processes are called; with a number where there are several.
        service: The service whose code runs.
        serves_grpc: Whether it has a gRPC address.
        bus_user: Who it is for a broker that knows its users; None where it only runs with an open one.
        settings: Environment that makes it this kind.
    """

    name: str
    service: str
    serves_grpc: bool = False
    bus_user: BusUser | None = None
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def _ingest(user: BusUser, role: str, *, serves_grpc: bool) -> Deployment:
    return Deployment(user.value, "ingest", serves_grpc, user, MappingProxyType({"CUTLINE_INGEST_ROLES": role}))


_IMAGING: Final = Deployment("imaging", "imaging", bus_user=BusUser.IMAGING)
_MOCKUP: Final = Deployment("mockup", "mockup", bus_user=BusUser.MOCKUP)
_STATUS: Final = Deployment("status", "status", serves_grpc=True, bus_user=BusUser.STATUS)

TOGETHER: Final = (Deployment("ingest", "ingest", serves_grpc=True), _IMAGING, _MOCKUP, _STATUS)
"""Every service once, ingest with all its roles."""
APART: Final = (
    _ingest(BusUser.INGEST_API, "api", serves_grpc=True),
    _ingest(BusUser.INGEST_ADMIN, "admin", serves_grpc=True),
    # It serves nobody; its health is asked for over HTTP.
    _ingest(BusUser.INGEST_HOUSEKEEPING, "housekeeping", serves_grpc=False),
    _IMAGING,
    _MOCKUP,
    _STATUS,
)
"""As production runs them: ingest apart by role, so that each has a bus user of its own."""

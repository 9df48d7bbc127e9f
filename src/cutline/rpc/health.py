"""The gRPC health service, which says what readiness says.

Names: "" and each registered service follow readiness; "liveness" is serving as long as the server answers.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from cutline.runtime.readiness import Readiness

LIVENESS: Final = "liveness"
POLL_S: Final = 2.0

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """Follows readiness for the services of one server."""

    def __init__(self, readiness: Readiness, services: tuple[str, ...]) -> None:
        self._readiness = readiness
        self._names = ("", *services)
        self._servicer = health.aio.HealthServicer()  # type: ignore[attr-defined]  # documented, not re-exported
        self._flipped = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        readiness.on_flip(self._flipped.set)

    def add_to(self, server: Any) -> None:
        """Registers the health service."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)  # type: ignore[no-untyped-call]  # generated without types

    async def start(self) -> None:
        """Begins to follow; nothing is serving before the first verdict."""
        await self._servicer.set(LIVENESS, _SERVING)
        await self._tell()
        self._following = asyncio.create_task(self._follow(), name="grpc-health")

    async def stop(self) -> None:
        """Says NOT_SERVING for good."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        await self._servicer.enter_graceful_shutdown()

    async def _follow(self) -> None:
        while True:
            try:
                async with asyncio.timeout(POLL_S):
                    await self._flipped.wait()
            except TimeoutError:
                pass  # nothing flipped; look at the checks again
            self._flipped.clear()
            await self._tell()

    async def _tell(self) -> None:
        verdict = await self._readiness.verdict()
        for name in self._names:
            await self._servicer.set(name, _SERVING if verdict.ready else _NOT_SERVING)

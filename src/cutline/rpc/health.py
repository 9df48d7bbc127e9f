"""The gRPC health service, which says what readiness says.

Names: "" and each registered service follow readiness; "liveness" is serving as long as the server answers.

Health needs no key, so whatever it grants is granted to everybody. The servicer of grpcio-health-checking lets one
watcher who does not read keep all others, and the stop of the server, waiting: it writes while it holds a lock. The one
here does not, counts its watchers, and is as impatient with them as with those of designs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cutline.domain.errors import ResourceExhaustedError
from cutline.rpc.patience import Patience
from cutline.runtime.readiness import Readiness

LIVENESS: Final = "liveness"
POLL_S: Final = 2.0
MAX_WATCHES: Final = 1_000
"""Health watches open in one process; who watches health is a balancer, of which there are few."""

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_SERVICE_UNKNOWN: Final = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

Context = grpc.aio.ServicerContext[Any, Any]


class Health:
    """Follows readiness for the services of one server."""

    def __init__(self, readiness: Readiness, services: tuple[str, ...], *, patience: Patience) -> None:
        self._readiness = readiness
        self._names = ("", *services)
        self._servicer = HealthServicer(patience)
        self._flipped = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        readiness.on_flip(self._flipped.set)

    def add_to(self, server: Any) -> None:
        """Registers the health service."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)  # type: ignore[no-untyped-call]  # generated without types

    async def start(self) -> None:
        """Begins to follow; nothing is serving before the first verdict."""
        self._servicer.say(LIVENESS, _SERVING)
        await self._tell()
        self._following = asyncio.create_task(self._follow(), name="grpc-health")

    async def stop(self) -> None:
        """Says NOT_SERVING for good."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        for name in (LIVENESS, *self._names):
            self._servicer.say(name, _NOT_SERVING)

    def end_watches(self) -> None:
        """Ends those who still watch: the server does not wait for them."""
        self._servicer.end()

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
            self._servicer.say(name, _SERVING if verdict.ready else _NOT_SERVING)


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Answers callers with what was said last of a name."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._said: dict[str, health_pb2.HealthCheckResponse.ServingStatus] = {}
        self._changed = asyncio.Event()
        self._watches = 0
        self._ended = False

    def say(self, name: str, verdict: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        """Says what holds of a name from now on."""
        if self._said.get(name) != verdict:
            self._said[name] = verdict
            self._wake()

    def end(self) -> None:
        """Ends every watch."""
        self._ended = True
        self._wake()

    async def Check(self, request: Any, context: Context) -> Any:  # noqa: N802  (the contract's name)
        """Says what holds now."""
        verdict = self._said.get(request.service)
        if verdict is None:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        self._patience.bound_answer()
        return health_pb2.HealthCheckResponse(status=verdict)

    async def Watch(self, request: Any, context: Context) -> None:  # noqa: N802  (as above)
        """Says what holds now, and then whatever changes."""
        if self._watches >= MAX_WATCHES:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{MAX_WATCHES} callers watch health already.")
        self._watches += 1
        try:
            async with aclosing(self._verdicts(request.service)) as verdicts:
                await self._patience.write_all(verdicts, context.write)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "The server is shutting down.")
        except ResourceExhaustedError as error:
            await self._patience.say_goodbye(context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, error.message))
        finally:
            self._watches -= 1

    async def _verdicts(self, name: str) -> AsyncGenerator[Any, None]:
        told = None
        while not self._ended:
            changed = self._changed
            verdict = self._said.get(name, _SERVICE_UNKNOWN)
            if verdict != told:
                told = verdict
                yield health_pb2.HealthCheckResponse(status=verdict)
            else:
                await changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

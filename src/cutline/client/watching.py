"""Watches that go on by themselves when a connection breaks or a server shuts down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from cutline.client.calls import Backoff, Connection
from cutline.client.errors import DesignDeletedError, UnavailableError
from cutline.v1 import design_pb2, status_service_pb2_grpc
from cutline.v1 import status_service_pb2 as pb

TERMINAL: Final = frozenset(
    {design_pb2.Design.STATE_READY, design_pb2.Design.STATE_FAILED, design_pb2.Design.STATE_CANCELLED}
)


class Patience:
    """How long an unavailable service is asked again before the watch gives up."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._backoff = Backoff()
        self._since_s = time.monotonic()

    def rewarded(self) -> None:
        """Notes that the service spoke."""
        self._backoff.reset()
        self._since_s = time.monotonic()

    async def pause(self, error: UnavailableError) -> None:
        """Waits before the next try.

        Raises:
            UnavailableError: The patience is at its end.
        """
        if time.monotonic() - self._since_s > self._longest_s:
            raise error
        await asyncio.sleep(self._backoff.pause_s(error))


async def watch_design(
    status: Connection, design_id: str, *, after_revision: int, patience_s: float
) -> AsyncGenerator[design_pb2.Design, None]:
    """Each newer revision of a design, to the terminal one; resumes behind the last revision it gave.

    Raises:
        DesignDeletedError: The design was deleted.
        ApiError: The service refused the watch, or was unavailable for longer than `patience_s`.
    """
    stub: status_service_pb2_grpc.StatusServiceAsyncStub = status_service_pb2_grpc.StatusServiceStub(status.channel)
    patience = Patience(patience_s)
    while True:
        request = pb.WatchDesignRequest(design_id=design_id, after_revision=after_revision)
        try:
            async with aclosing(status.stream(stub.WatchDesign, request, pb.WatchDesignResponse)) as messages:
                async for message in messages:
                    patience.rewarded()
                    if message.HasField("deleted"):
                        raise DesignDeletedError(design_id)
                    if message.HasField("design"):
                        after_revision = message.design.revision
                        yield message.design
                        if message.design.state in TERMINAL:
                            return
        except UnavailableError as error:
            await patience.pause(error)


async def watch_designs(
    status: Connection, *, resume_token: str, patience_s: float
) -> AsyncGenerator[pb.WatchDesignsResponse, None]:
    """Every change of every design of the tenant, for ever; heartbeats and repeats are left out.

    Each message carries the token to resume by, for a caller who keeps it.

    Raises:
        ApiError: The service refused the watch, or was unavailable for longer than `patience_s`.
    """
    stub: status_service_pb2_grpc.StatusServiceAsyncStub = status_service_pb2_grpc.StatusServiceStub(status.channel)
    patience = Patience(patience_s)
    seen: dict[str, int] = {}
    while True:
        request = pb.WatchDesignsRequest(resume_token=resume_token)
        try:
            async with aclosing(status.stream(stub.WatchDesigns, request, pb.WatchDesignsResponse)) as messages:
                async for message in messages:
                    patience.rewarded()
                    resume_token = message.resume_token or resume_token
                    if message.HasField("deleted"):
                        seen.pop(message.deleted.design_id, None)
                        yield message
                    elif message.HasField("design") and message.design.revision > seen.get(message.design.id, 0):
                        seen[message.design.id] = message.design.revision
                        yield message
        except UnavailableError as error:
            await patience.pause(error)

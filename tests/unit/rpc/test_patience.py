"""How a stream's messages are written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc

from cutline.rpc.patience import Patience
from cutline.runtime.environment import ListenAddress
from cutline.runtime.settings import ShellSettings
from cutline.telemetry.setup import Telemetry


async def test_a_caller_who_is_gone_before_its_first_message_is_no_failure() -> None:
    """What gRPC refuses because the call is over ends the handler as the news of that end does: cancelled."""

    async def messages() -> AsyncIterator[bytes]:
        while True:
            yield b""

    async def refused(_message: bytes) -> None:
        raise grpc.aio.InternalError

    telemetry = Telemetry.of_service("test", ShellSettings(ListenAddress("127.0.0.1", 0)))
    handler = asyncio.create_task(Patience(60.0, telemetry.metrics).write_all(messages(), refused))
    await asyncio.wait([handler])
    assert handler.cancelled()

"""What the SDK is tested against: the real services as processes, and the fake server that users get."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Protocol

from cutline.client import AsyncClient, ClientSettings
from cutline.embedded.stack import EmbeddedStack
from cutline.testing import DesignState, FakeServer, Held, Ready
from tests.support.polling import until


class SdkServer(Protocol):
    """What tests of the SDK need of a server."""

    @property
    def settings(self) -> ClientSettings:
        """How a client reaches it."""

    async def hold(self) -> None:
        """Keeps designs that are submitted from now on QUEUED."""

    async def finish(self, design_id: str) -> None:
        """Lets a design that is held go on to its end."""

    async def crash(self) -> None:
        """Kills what serves watches, and waits until it serves again."""


class RealServer:
    """The services as processes; work is held by pausing the queue of its first stage.

    Args:
        stack: Runs them.
    """

    def __init__(self, stack: EmbeddedStack) -> None:
        self._stack = stack
        self.settings = ClientSettings.from_env(stack.client_environment())

    async def hold(self) -> None:
        """Pauses the queue."""
        async with AsyncClient(self.settings) as operator:
            await operator.queue.pause("imaging", until=datetime.now(UTC) + timedelta(hours=1))

    async def finish(self, design_id: str) -> None:
        """Ends the pause; workers go on with this design as with others."""
        assert design_id
        await self.release()

    async def release(self) -> None:
        """Ends the pause."""
        async with AsyncClient(self.settings) as operator:
            await operator.queue.resume("imaging")

    async def crash(self) -> None:
        """Kills the status service with a signal it cannot answer; its supervisor starts it again."""
        status = self._stack.services["status"]
        before = status.program_id
        os.kill(before, signal.SIGKILL)

        async def replaced() -> bool:
            try:
                return status.program_id != before and await status.ready()
            except ProcessLookupError:  # between its end and its next start
                return False

        await until(replaced)


class FakeSdkServer:
    """The fake server.

    Args:
        fake: The server.
    """

    def __init__(self, fake: FakeServer) -> None:
        self._fake = fake
        self.settings = fake.settings

    async def hold(self) -> None:
        """Scripts designs to stay QUEUED."""
        self._fake.outcome = Held(DesignState.QUEUED)

    async def finish(self, design_id: str) -> None:
        """Takes all steps that are left."""
        self._fake.outcome = Ready()
        self._fake.finish(design_id)

    async def crash(self) -> None:
        """Cuts every connection and listens again."""
        self._fake.restart(abruptly=True)

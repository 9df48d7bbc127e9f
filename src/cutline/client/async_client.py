"""The client: two connections, one for each service, and what can be done over them."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from cutline.client.calls import Connection
from cutline.client.designs import AsyncDesigns
from cutline.client.proxies import http_client
from cutline.client.queue import AsyncQueue
from cutline.client.settings import ClientSettings


class AsyncClient:
    """Talks to the services: `async with AsyncClient() as client`. Make it inside the running event loop.

    Args:
        settings: Where and as whom; None reads the environment, see `ClientSettings.from_env`.
        max_retries: Further tries of a call that found a service unavailable or full.
        timeout_s: Deadline of each try of a call; watches have none.

    Attributes:
        designs: The tenant's designs.
        queue: The queues of every tenant, for keys with the scope `admin`.

    Raises:
        NotConfiguredError: No address or no key is known.
    """

    def __init__(
        self, settings: ClientSettings | None = None, *, max_retries: int = 4, timeout_s: float = 30.0
    ) -> None:
        self.settings = settings or ClientSettings.from_env()
        self._http = http_client()
        self._ingest = Connection(
            self.settings.ingest_target, self.settings, max_retries=max_retries, timeout_s=timeout_s
        )
        self._status = Connection(
            self.settings.status_target, self.settings, max_retries=max_retries, timeout_s=timeout_s
        )
        self.designs = AsyncDesigns(self._ingest, self._status, self._http)
        self.queue = AsyncQueue(self._ingest)

    async def close(self) -> None:
        """Ends every stream and closes the connections."""
        await asyncio.gather(self._ingest.close(), self._status.close(), self._http.aclose())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

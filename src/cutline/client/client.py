"""The client for threads: connections, one for each service, and what can be done over them."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx

from cutline.client.channels import http_client
from cutline.client.connection import Connection
from cutline.client.designs import Designs
from cutline.client.queue import Queue
from cutline.client.settings import ClientSettings, Token, chosen


class Client:
    """Talks to the services: `with Client() as client`. Threads may share it; make it after a fork, not before.

    Args:
        settings: Where and as whom; None reads the environment, see `ClientSettings.from_env`.
        target: gRPC target of all services, without settings.
        api_key: Credential, without settings.
        token: Sent in place of the key, without settings: a bearer token, or what gives one.
        max_retries: Further tries of a call that found a service unavailable or full.
        timeout_s: Time for all tries of a call with the pauses between; watches and files have none.
        patience_s: How long a watch or wait asks a service that is away before it gives up.

    Attributes:
        settings: Where and as whom.
        designs: The tenant's designs.
        queue: The queues of every tenant, for credentials with the scope `admin`.

    Raises:
        NotConfiguredError: No address or no credential is known.
        BadSettingError: A setting cannot be used.
        TypeError: Settings are given with an address or credential too.
    """

    def __init__(
        self,
        settings: ClientSettings | None = None,
        *,
        target: str = "",
        api_key: str = "",
        token: Token | None = None,
        max_retries: int = 5,
        timeout_s: float = 30.0,
        patience_s: float = 60.0,
    ) -> None:
        self.settings = settings = chosen(settings, target=target, api_key=api_key, token=token)
        self._http = http_client(httpx.Client, settings)
        self._ingest, self._status, self._admin = (
            Connection(address, settings, max_retries=max_retries, timeout_s=timeout_s)
            for address in (
                settings.ingest_target,
                settings.status_target,
                settings.admin_target or settings.ingest_target,
            )
        )
        self.designs = Designs(self._ingest, self._status, self._http, patience_s=patience_s)
        self.queue = Queue(self._admin, patience_s=patience_s)

    def close(self) -> None:
        """Ends every stream and closes the connections."""
        self._ingest.close()
        self._status.close()
        self._admin.close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

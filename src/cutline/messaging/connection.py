"""The connection to the broker: made in the background, never given up, and watched with real pings.

The options come from how the client behaves: it gives up after 60 attempts, does not jitter and notices a hung peer
after minutes unless told otherwise; an `error_cb` that raises silently kills its read loop; and an error of the server
other than a permission closes it for good, which only a restart of the process mends. A login that the server refuses
while a connection is made would be tried for ever; it is no better at the next try, so that too ends the process.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client
from nats.aio.client import Server as KnownServer
from nats.js import JetStreamContext

from cutline.messaging.broker_client import BrokerClient
from cutline.messaging.violations import Violations
from cutline.runtime.logging import get_logger
from cutline.runtime.settings import NatsSettings
from cutline.telemetry.metrics import Metrics

log = get_logger(__name__)

RECONNECT_WAIT_S: Final = 0.5
CONNECT_TIMEOUT_S: Final = 2
PING_INTERVAL_S: Final = 3
MAX_OUTSTANDING_PINGS: Final = 2
PROBE_TIMEOUT_S: Final = 2
JETSTREAM_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 5.0

OnConnect = Callable[[], Awaitable[None]]


class Broker:
    """A part that holds one connection to the broker.

    `start` begins to connect and returns at once: a broker that is away is a degraded state, not a failure.

    Args:
        nats: Where the broker is and who connects to it; an address alone, `nats://...` or several separated by
            commas, with a login where needed.
        name: What the broker's monitoring shows.
        on_fatal: Called when the connection is closed for good, or the login refused; the process must end.
        metrics: Count what the broker does not allow.
    """

    def __init__(
        self,
        nats: NatsSettings | str,
        *,
        name: str,
        on_fatal: Callable[[str], None],
        metrics: Metrics | None = None,
    ) -> None:
        settings = NatsSettings(nats) if isinstance(nats, str) else nats
        self._servers, self._login = _without_login([address.strip() for address in settings.url.split(",")])
        self._login |= _login(settings)
        self._tries: Counter[str] = Counter()
        self._name = name
        self._on_fatal = on_fatal
        self._inbox_prefix = settings.inbox_prefix
        self._violations = Violations(metrics or Metrics.silent())
        self._callbacks: list[OnConnect] = []
        self._connecting: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._stopping = False
        self._last_error: Exception | None = None
        self.client: Client = BrokerClient(self._servers, settings.tls)

    @property
    def connected(self) -> bool:
        """Whether the client believes it has a connection."""
        return bool(self.client.is_connected)

    @property
    def jetstream(self) -> JetStreamContext:
        """JetStream over this connection."""
        context: JetStreamContext = self.client.jetstream(timeout=JETSTREAM_TIMEOUT_S)
        return context

    def on_connect(self, callback: OnConnect) -> None:
        """Calls `callback` whenever a connection has been made, the first time included; register before `start`."""
        self._callbacks.append(callback)

    async def start(self) -> None:
        """Begins to connect."""
        self._connecting = asyncio.create_task(self._connect(), name="broker-connect")

    async def stop(self) -> None:
        """Sends what is buffered and closes the connection."""
        self._stopping = True
        if self._connecting is not None and not self._connecting.done():
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self.client.is_closed:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if self.connected:
                    await self.client.flush(timeout=1)
                await self.client.close()
        except (TimeoutError, nats.errors.Error, OSError) as error:
            log.warning("broker.close_failed", error=type(error).__name__)

    async def wait_connected(self, timeout_s: float | None = None) -> bool:
        """Waits for a connection; whether there is one."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._connected.wait()
        except TimeoutError:
            return False
        return True

    async def problem(self) -> str | None:
        """What keeps the broker from answering, or None: a PING that must come back."""
        if not self.connected:
            why = f" ({_described(self._last_error)})" if self._last_error is not None else ""
            return f"NATS is not connected{why}"
        try:
            await self.client.rtt(timeout=PROBE_TIMEOUT_S)
        except (TimeoutError, nats.errors.Error, OSError) as error:
            return f"NATS does not answer ({type(error).__name__})"
        return None

    async def _connect(self) -> None:
        try:
            await self.client.connect(
                servers=self._servers,
                **self._login,
                name=self._name,
                inbox_prefix=self._inbox_prefix,
                connect_timeout=CONNECT_TIMEOUT_S,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]  # annotated int, slept as it is
                reconnect_to_server_handler=self._next_server,
                ping_interval=PING_INTERVAL_S,
                max_outstanding_pings=MAX_OUTSTANDING_PINGS,
                error_cb=self._errored,
                disconnected_cb=self._disconnected,
                reconnected_cb=self._has_connected,
                closed_cb=self._closed,
            )
        except Exception as error:
            log.exception("broker.refused")
            self._on_fatal(f"the broker refused the connection: {type(error).__name__}")
            return
        await self._has_connected()

    async def _has_connected(self) -> None:
        node = self.client.connected_url.netloc if self.client.connected_url else ""
        log.info("broker.connected", node=node.rpartition("@")[2])  # addresses with different logins keep them
        self._last_error = None
        # When this connection is lost, its node counts as tried: a hung one would cost the time of an attempt.
        self._tries = Counter([node])
        self._connected.set()
        for callback in self._callbacks:
            try:
                await callback()
            except Exception:  # the client awaits this callback: what it raises would break the client's own loop
                log.exception("broker.callback_failed")

    async def _disconnected(self) -> None:
        self._connected.clear()
        if not self._stopping:
            log.warning("broker.disconnected")

    async def _closed(self) -> None:
        self._connected.clear()
        if self._stopping:
            return
        why = f": {_described(error)}" if (error := self.client.last_error) is not None else ""
        self._on_fatal(f"the connection to the broker was closed for good{why}")

    async def _errored(self, error: Exception) -> None:
        if self._violations.hear(error):
            return
        # A server that refuses a certificate says so and hangs up; which of both is noticed is chance.
        if not (isinstance(error, ConnectionError) and isinstance(self._last_error, ssl.SSLError)):
            self._last_error = error
        if _is_refused_login(error):
            log.error("broker.login_refused", inbox_prefix=self._inbox_prefix)
            self._on_fatal("the broker refused the login: it does not know this user, or another key of it")
            return
        log.warning("broker.error", error=type(error).__name__, detail=str(error)[:200])

    def _next_server(self, servers: list[KnownServer], _: dict[str, Any]) -> tuple[KnownServer, float]:
        """Takes the node tried least since the connection was lost, after a jittered pause.

        A herd of clients must not come back in step.
        """
        server = min(servers, key=lambda known: self._tries[known.uri.netloc])
        self._tries[server.uri.netloc] += 1
        return server, RECONNECT_WAIT_S * random.uniform(0.5, 1.5)  # noqa: S311  (jitter, not a secret)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _is_refused_login(error: Exception) -> bool:
    """Whether the server said so; while a connection is made the client tells by the text alone."""
    return isinstance(error, nats.errors.AuthorizationError) or "authorization violation" in str(error).lower()


def _login(settings: NatsSettings) -> dict[str, Any]:
    """How the user proves who it is, as options of the client."""
    if settings.creds_path is not None:
        return {"user_credentials": settings.creds_path}
    return {"nkeys_seed_str": settings.nkey_seed} if settings.nkey_seed else {}


def _without_login(addresses: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Takes the credentials out of addresses that share them, as options of the client.

    Nodes of a cluster tell clients of each other, without credentials: the client would try those addresses in vain,
    and hold each for another node than the one it was given.
    """
    parts = [urlsplit(address) for address in addresses]
    (user, password), *others = {(part.username, part.password) for part in parts}
    if others or user is None:
        return list(addresses), {}
    bare = [part._replace(netloc=part.netloc.rpartition("@")[2]).geturl() for part in parts]
    return bare, {"token": user} if password is None else {"user": user, "password": password}

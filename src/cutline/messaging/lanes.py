"""Lanes: in which order a worker asks them, and the pull that stands open on each."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from cutline.domain.states import Lane
from cutline.runtime.logging import get_logger

log = get_logger(__name__)

DEFAULT_WEIGHTS: Final[Mapping[Lane, int]] = {Lane.EXPRESS: 6, Lane.STANDARD: 3, Lane.BULK: 1}

_EXPIRES_S: Final = 30.0
_IDLE_HEARTBEAT_S: Final = 2.0
_PROBE_TIMEOUT_S: Final = 2.0
_REFUSED_PAUSE_S: Final = 0.5
_ACK_PREFIX: Final = "$JS.ACK."


class LaneOrder:
    """Shares turns among lanes by weight (stride scheduling): none starves, and idle time earns no credit."""

    def __init__(self, weights: Mapping[Lane, int]) -> None:
        self._weights = dict(weights)
        self._due = {lane: 1.0 / weight for lane, weight in weights.items()}
        self._now = 0.0

    def order(self) -> list[Lane]:
        """The lanes, the one whose turn it is first."""
        return sorted(self._due, key=lambda lane: (max(self._due[lane], self._now), -self._weights[lane]))

    def took(self, lane: Lane) -> None:
        """Notes that a job of this lane was taken."""
        self._now = max(self._due[lane], self._now)
        self._due[lane] = self._now + 1.0 / self._weights[lane]


class LanePull:
    """Asks one consumer for messages and keeps those that came until they are taken.

    Pulls are written by hand: a cancelled `fetch` of the client leaves its pull open on the server, which then sends
    a message to nobody, and an error status only shows at the end of its timeout.
    """

    def __init__(self, client: Client, *, stream: str, consumer: str, notify: Callable[[], None]) -> None:
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = client.new_inbox()
        self._notify = notify
        self._subscription: Subscription | None = None
        self._requests = 0
        self._standing = False
        self._probe: asyncio.Future[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._paused = False
        self.waiting: deque[Msg] = deque()
        """Messages that were delivered and not taken, oldest first."""

    @property
    def standing(self) -> bool:
        """Whether a pull stands open, so that the broker has nothing for this lane at present."""
        return self._standing

    async def start(self) -> None:
        """Listens for answers."""
        self._subscription = await self._client.subscribe(f"{self._inbox}.*", cb=self._hear)

    async def stop(self) -> None:
        """Withdraws the pull; what the broker sends meanwhile is still received."""
        self._close()
        if (subscription := self._subscription) is not None:
            self._subscription = None
            with suppress(NatsError, TimeoutError):
                await asyncio.wait_for(subscription.drain(), 2.0)  # type: ignore[no-untyped-call]  # the client's own lack

    async def stand(self) -> None:
        """Opens a pull that waits for a message, unless one is open."""
        if self._standing or self._paused:
            return
        self._standing = True
        self._watch()
        await self._ask({"batch": 1, "expires": int(_EXPIRES_S * 1e9), "idle_heartbeat": int(_IDLE_HEARTBEAT_S * 1e9)})

    async def probe(self) -> Msg | None:
        """Takes a message if the broker has one at this moment."""
        if not self.waiting and not self._standing and not self._paused:
            self._probe = asyncio.get_running_loop().create_future()
            await self._ask({"batch": 1, "no_wait": True})
            with suppress(TimeoutError):
                await asyncio.wait_for(self._probe, _PROBE_TIMEOUT_S)
            self._probe = None
        return self.waiting.popleft() if self.waiting else None

    def forget(self) -> None:
        """Counts the open pull as lost: the connection it was made on is gone."""
        self._close()
        self._notify()

    async def _ask(self, request: dict[str, object]) -> None:
        self._requests += 1
        try:
            await self._client.publish(self._subject, json.dumps(request).encode(), f"{self._inbox}.{self._requests}")
        except (NatsError, OSError):
            self._refused()

    async def _hear(self, message: Msg) -> None:
        if message.reply.startswith(_ACK_PREFIX):
            self.waiting.append(message)
            self._answered()
            return
        headers = message.headers or {}
        if not message.subject.endswith(f".{self._requests}"):
            return  # about a pull that was given up
        match headers.get("Status"):
            case "100":  # idle heartbeat
                self._watch()
            case "404" | "408":  # nothing there, or the pull's time is over
                self._answered()
            case state:
                log.info("lane.pull_refused", subject=self._subject, state=state, why=headers.get("Description"))
                self._refused()

    def _refused(self) -> None:
        """Rests before the lane is asked again: an election or a missing consumer lasts a while."""
        self._paused = True
        asyncio.get_running_loop().call_later(_REFUSED_PAUSE_S, self._resume)
        self._answered()

    def _resume(self) -> None:
        self._paused = False
        self._notify()

    def _answered(self) -> None:
        self._close()
        if self._probe is not None and not self._probe.done():
            self._probe.set_result(None)
        self._notify()

    def _watch(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        # Two heartbeats missed: the pull died with its server or connection.
        self._watchdog = asyncio.get_running_loop().call_later(2.5 * _IDLE_HEARTBEAT_S, self.forget)

    def _close(self) -> None:
        self._standing = False
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None

"""Lanes: how a worker shares its slots among them, and the pull it has on each."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
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
_ASK_TIMEOUT_S: Final = 2.0
_CLOSE_TIMEOUT_S: Final = 2.0
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

    def shares(self, turns: int, lanes: Collection[Lane]) -> Counter[Lane]:
        """How the next turns would fall among some lanes if each had enough; takes none."""
        ahead = LaneOrder(self._weights)
        ahead._due, ahead._now = dict(self._due), self._now
        shares: Counter[Lane] = Counter()
        for _ in range(turns if lanes else 0):
            lane = next(lane for lane in ahead.order() if lane in lanes)
            ahead.took(lane)
            shares[lane] += 1
        return shares

    def took(self, lane: Lane) -> None:
        """Notes that a job of this lane was taken."""
        self._now = max(self._due[lane], self._now)
        self._due[lane] = self._now + 1.0 / self._weights[lane]


class LanePull:
    """Asks one consumer for messages and keeps those that came until they are taken.

    Pulls are written by hand: a cancelled `fetch` of the client leaves its pull open on the server, which then sends
    a message to nobody, and an error status only shows at the end of its timeout. One request is open at a time: one
    that asks for what is there at this moment, or one that stands until a message comes.

    Attributes:
        waiting: Messages that were delivered and not taken, oldest first.
        asked: How many messages may still come of what was asked for.
        standing: Whether a pull stands open, so that the broker has nothing for this lane at present.
        empty: Whether the broker had nothing more when it was last asked; the worker decides how long it believes that.
    """

    def __init__(self, client: Client, *, stream: str, consumer: str, notify: Callable[[], None]) -> None:
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = client.new_inbox()
        self._notify = notify
        self._subscription: Subscription | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._requests = 0
        self._watchdog: asyncio.TimerHandle | None = None
        self._paused = False
        self._refusal: tuple[str | None, str | None] | None = None
        self.waiting: deque[Msg] = deque()
        self.asked = 0
        self.standing = False
        self.empty = False

    @property
    def open(self) -> bool:
        """Whether the lane is not to be asked now: an answer is to come, or it rests after a refusal."""
        return self.asked > 0 or self.standing or self._paused

    async def start(self) -> None:
        """Listens for answers."""
        self._subscription = await self._client.subscribe(f"{self._inbox}.*", cb=self._hear)

    async def stop(self) -> None:
        """Withdraws the pull; what the broker sends meanwhile is still received."""
        self._close()
        if self._closing:
            await asyncio.wait(self._closing)
        if (subscription := self._subscription) is not None:
            self._subscription = None
            await _drain(subscription)

    async def ask(self, number: int) -> None:
        """Asks for so many messages at most, of those that the broker has at this moment."""
        self.asked, self.empty = number, False
        self._watch(_ASK_TIMEOUT_S, self._unanswered)
        await self._request({"batch": number, "no_wait": True})

    async def stand(self) -> None:
        """Opens a pull that waits for a message."""
        self.standing = True
        # Two heartbeats missed: the pull died with its server or connection.
        self._watch(2.5 * _IDLE_HEARTBEAT_S, self.forget)
        await self._request(
            {"batch": 1, "expires": int(_EXPIRES_S * 1e9), "idle_heartbeat": int(_IDLE_HEARTBEAT_S * 1e9)}
        )

    def forget(self) -> None:
        """Counts the open pull as lost: the connection it was made on is gone."""
        self._close()
        self.empty = False
        self._notify()

    async def _request(self, request: dict[str, object]) -> None:
        self._requests += 1
        try:
            await self._client.publish(self._subject, json.dumps(request).encode(), f"{self._inbox}.{self._requests}")
        except (NatsError, OSError):
            self._refused()

    async def _hear(self, message: Msg) -> None:
        if message.reply.startswith(_ACK_PREFIX):
            self._refusal = None
            self.waiting.append(message)
            if self.asked <= 1:
                self._close()
            else:
                self.asked -= 1
            self._notify()
            return
        if not message.subject.endswith(f"{self._inbox}.{self._requests}"):
            return  # about a pull that was given up
        headers = message.headers or {}
        match headers.get("Status"):
            case "100":  # idle heartbeat
                self._refusal = None
                self._watch(2.5 * _IDLE_HEARTBEAT_S, self.forget)
            case "404" | "408":  # nothing more there, or the pull's time is over
                self._refusal = None
                self.empty = self.asked > 0
                self._close()
                self._notify()
            case state:
                self._tell_refusal(state, headers.get("Description"))
                self._refused()

    def _tell_refusal(self, state: str | None, why: str | None) -> None:
        """Tells why a pull was refused, once: a broker without its topology refuses twice a second."""
        if self._refusal != (state, why):
            self._refusal = state, why
            log.warning("lane.pull_refused", subject=self._subject, state=state, why=why)

    def _unanswered(self) -> None:
        """Gives a request up that neither brings nor says anything.

        The broker leaves one open without an end while the consumer has all the unacknowledged messages it may have:
        it goes with its inbox, so that what is asked for later is all that can come.
        """
        log.warning("lane.pull_unanswered", subject=self._subject)
        closing = asyncio.create_task(self._change_inbox())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._refused()

    async def _change_inbox(self) -> None:
        old, self._inbox = self._subscription, self._client.new_inbox()
        with suppress(NatsError, OSError):
            await self.start()
        if old is not None:
            await _drain(old)

    def _refused(self) -> None:
        """Rests before the lane is asked again: an election or a missing consumer lasts a while."""
        self._paused = True
        asyncio.get_running_loop().call_later(_REFUSED_PAUSE_S, self._resume)
        self._close()
        self._notify()

    def _resume(self) -> None:
        self._paused = False
        self._notify()

    def _watch(self, wait_s: float, give_up: Callable[[], None]) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = asyncio.get_running_loop().call_later(wait_s, give_up)

    def _close(self) -> None:
        self.asked, self.standing = 0, False
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None


async def _drain(subscription: Subscription) -> None:
    """Ends a subscription once what was sent to it has been received."""
    with suppress(NatsError, TimeoutError):
        await asyncio.wait_for(subscription.drain(), _CLOSE_TIMEOUT_S)  # type: ignore[no-untyped-call]  # the client's own lack

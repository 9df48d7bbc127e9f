"""The pull worker: takes messages when a slot is free, lane by lane, and is the only one that settles them.

An idle worker keeps one pull open on each lane, so that a message is with it at once. A busy one asks the lanes by
weight whenever a slot becomes free. What arrives beyond the free slots (a pull that stood open may still be answered)
is kept with in-progress and runs next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Final

from nats.aio.msg import Msg

from cutline.domain.errors import UnavailableError
from cutline.domain.states import Lane
from cutline.messaging.acks import Acks
from cutline.messaging.cancel import CancelDoorbell
from cutline.messaging.connection import Broker
from cutline.messaging.delivery import Delivery
from cutline.messaging.lanes import LaneOrder, LanePull
from cutline.messaging.room import Room
from cutline.messaging.settlement import BROKER_ERRORS, Desk, Settlement
from cutline.messaging.slot import Slot
from cutline.messaging.telling import Telling
from cutline.messaging.tickets import read_ticket
from cutline.messaging.unreadable import unreadable_copy
from cutline.runtime.lifecycle import BackgroundLoop
from cutline.runtime.logging import get_logger
from cutline.store.attempts import Claim

log = get_logger(__name__)

_GIVE_BACK_PAUSE_S: Final = 1.0
_REST_PAUSE_S: Final = 0.5
_UNABLE_PAUSE_S: Final = 1.0
_PUBLISH_TIMEOUT_S: Final = 2.0


class PullWorker:
    """A part that works on one stage's jobs.

    Args:
        desk: What each delivery works with.
        broker: The connection; started before this part.
        slots: Where the work runs; as many jobs run at a time.
        weights: Shares of the lanes.
        stop_grace_s: How long running jobs may go on once the worker has to stop; then they are given back.
        on_fatal: Called when a loop of the worker died; the process must end.

    Attributes:
        stop_grace_s: As given; see `cutline.runtime.lifecycle.PatientPart`.
    """

    def __init__(
        self,
        desk: Desk,
        broker: Broker,
        slots: Sequence[Slot],
        *,
        weights: Mapping[Lane, int],
        stop_grace_s: float,
        on_fatal: Callable[[str], None],
    ) -> None:
        self._desk = desk
        self._broker = broker
        self._slots = tuple(slots)
        self._free = deque(slots)
        self._order = LaneOrder(weights)
        self.stop_grace_s = stop_grace_s
        self._room = Room()
        self._pulls: dict[Lane, LanePull] = {}
        self._acks = Acks(broker.client)
        self._telling = Telling(desk.publisher, self._acks, desk.database)
        self._doorbell: CancelDoorbell | None = None
        self._deliveries: dict[asyncio.Task[None], Delivery] = {}
        self._aside: set[asyncio.Task[None]] = set()
        self._pulling = BackgroundLoop("pull", self._pull, fatal=on_fatal)
        self._keeping = BackgroundLoop("keep", self._keep, fatal=on_fatal)
        self._woken = asyncio.Event()
        self._resting = False

    async def start(self) -> None:
        """Warms the slots and begins to pull as soon as the broker is reached.

        Raises:
            CutlineError: The warm-up names what is missing.
            SlotError: The warm-up failed otherwise.
        """
        await asyncio.gather(*(slot.start() for slot in self._slots))
        self._broker.on_connect(self._reconnected)
        await self._pulling.start()
        await self._keeping.start()

    async def stop(self) -> None:
        """Stops pulling, lets running jobs end or gives them back, and ends the slots.

        What runs on is kept alive and can be cancelled to its end, which may be long after.
        """
        await self._pulling.stop()
        await asyncio.gather(*(pull.stop() for pull in self._pulls.values()))
        for pull in self._pulls.values():
            while pull.waiting:
                await _quietly_nak(pull.waiting.popleft())
        await self._end_deliveries()
        await self._keeping.stop()
        if self._doorbell is not None:
            await self._doorbell.stop()
        await self._telling.stop()
        for task in self._aside:
            task.cancel()
        await asyncio.gather(*(slot.stop() for slot in self._slots))

    async def problem(self) -> str | None:
        """What keeps the worker from taking a job at once, or None: a readiness check."""
        cold = sum(not slot.warm for slot in self._slots)
        return f"{cold} of {len(self._slots)} slots are not warm" if cold else None

    async def _end_deliveries(self) -> None:
        if not self._deliveries:
            return
        running = list(self._deliveries)
        _, late = await asyncio.wait(running, timeout=self.stop_grace_s)
        for task in late:
            self._deliveries[task].interrupt()
        if late:
            await asyncio.wait(late)

    async def _pull(self) -> None:
        await self._broker.wait_connected()
        await self._acks.start()
        client, topology, stage = self._broker.client, self._desk.topology, self._desk.stage
        for lane in self._order.order():
            consumer = topology.consumer_name(stage, lane)
            self._pulls[lane] = LanePull(client, stream=topology.jobs_stream, consumer=consumer, notify=self._woken.set)
            await self._pulls[lane].start()
        self._doorbell = CancelDoorbell(client, topology.cancel_subject(stage), self._cancel_rang)
        await self._doorbell.start()
        while True:
            self._woken.clear()
            if not self._resting:
                self._begin_what_waits()
                await self._ask()
            await self._woken.wait()

    def _begin_what_waits(self) -> None:
        """Gives free slots to messages that are here, the lane whose turn it is first."""
        while self._free:
            lane = next((lane for lane in self._order.order() if self._pulls[lane].waiting), None)
            if lane is None:
                return
            if not self._free[0].warm:
                self._spawn_aside(self._warm_up(self._free.popleft()))
                continue
            self._order.took(lane)
            self._begin(self._pulls[lane].waiting.popleft())

    async def _warm_up(self, slot: Slot) -> None:
        """Keeps a slot out of turn until it has a process again: a job would wait there, and its deadline pass."""
        await slot.warm_up()
        self._free.append(slot)
        self._woken.set()

    async def _ask(self) -> None:
        """Asks for as many messages as slots are free, shared by weight; of idle lanes each gets a standing pull."""
        hopeful = [lane for lane, pull in self._pulls.items() if pull.asked or not (pull.empty or pull.open)]
        askable = [lane for lane, pull in self._pulls.items() if not pull.open]
        if not hopeful:
            for lane in askable if self._free else ():
                await self._pulls[lane].stand()
            return
        unasked = len(self._free) - sum(pull.asked for pull in self._pulls.values())
        if unasked <= 0 or not askable:
            return
        for lane, share in self._order.shares(len(self._free), hopeful).items():
            if lane in askable and (number := min(share, unasked)) > 0:
                unasked -= number
                await self._pulls[lane].ask(number)

    def _begin(self, message: Msg) -> None:
        ticket = read_ticket(message.data)
        if ticket is None:
            self._spawn_aside(self._set_aside(message))
            return
        slot = self._free.popleft()
        delivery = Delivery(self._desk, message, ticket, Settlement(self._desk, message, self._acks, self._telling))
        task = asyncio.create_task(self._run(delivery, slot))
        self._deliveries[task] = delivery
        task.add_done_callback(self._deliveries.pop)

    async def _run(self, delivery: Delivery, slot: Slot) -> None:
        try:
            await delivery.run(slot, self._room)
        except Exception:  # neither settled nor written: the broker delivers it again once the lease has run out
            log.exception("worker.delivery_failed", job_id=delivery.ticket.job_id)
        finally:
            self._free.append(slot)
            for pull in self._pulls.values():
                pull.empty = False  # something may have come while it was not asked
            self._woken.set()
        if delivery.settlement.abandoned and delivery.claim is not None:
            self._spawn_aside(self._give_back(delivery.claim))
        if (delivery.hindered or delivery.settlement.abandoned) and not self._resting:
            self._resting = True
            self._spawn_aside(self._rest())

    async def _rest(self) -> None:
        """Takes no more jobs until what they all need is there again."""
        said = ""
        while (problem := await self._desk.database.problem() or await self._desk.outage()) is not None:
            if problem != said:
                log.warning("worker.waiting", problem=problem)
                said = problem
            await asyncio.sleep(_REST_PAUSE_S)
        log.info("worker.goes_on")
        self._resting = False
        self._woken.set()

    async def _give_back(self, claim: Claim) -> None:
        """Ends an attempt the database could not be told of, so that it is not taken for a crash."""
        while True:
            with suppress(UnavailableError):
                await self._desk.attempts.interrupt(claim)
                return
            await asyncio.sleep(_GIVE_BACK_PAUSE_S)

    async def _set_aside(self, message: Msg) -> None:
        """A message that names no job: its copy on the stream of dead letters is all that is left of it."""
        sequence = message.metadata.sequence.stream
        tenant = message.subject.rpartition(".")[2]
        copy = unreadable_copy(self._desk.topology, stage=self._desk.stage, tenant=tenant, sequence=sequence)
        log.error("worker.message_unreadable", sequence=sequence)
        if all(await self._desk.publisher.publish([copy], timeout_s=_PUBLISH_TIMEOUT_S)):
            with suppress(*BROKER_ERRORS):
                await message.term()

    async def _keep(self) -> None:
        """Keeps alive what was delivered and has no attempt yet; without a slot that can start it, others get it."""
        while True:
            await asyncio.sleep(self._desk.heartbeat_s)
            unable = all(slot.failing for slot in self._slots)
            for pull in self._pulls.values():
                for message in [pull.waiting.popleft() for _ in range(len(pull.waiting))] if unable else ():
                    await _quietly_nak(message, delay_s=_UNABLE_PAUSE_S)
                for message in tuple(pull.waiting):
                    with suppress(*BROKER_ERRORS):
                        await message.in_progress()
            for delivery in tuple(self._deliveries.values()):
                if delivery.claim is None:
                    await delivery.settlement.in_progress()

    def _cancel_rang(self, design_id: str, generation: int) -> None:
        for delivery in self._deliveries.values():
            if delivery.ticket.design_id == design_id and delivery.ticket.generation <= generation:
                delivery.look_now()

    async def _reconnected(self) -> None:
        for pull in self._pulls.values():
            pull.forget()

    def _spawn_aside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)


async def _quietly_nak(message: Msg, *, delay_s: float | None = None) -> None:
    with suppress(*BROKER_ERRORS):
        await message.nak(delay=delay_s)

"""Who works beside whom."""

from __future__ import annotations

import asyncio

from cutline.messaging.room import Room


class Guest:
    """Somebody who enters a room and stays until told."""

    def __init__(self, room: Room, *, alone: bool = False) -> None:
        self._room = room
        self._alone = alone
        self.inside = asyncio.Event()
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._visit())

    async def _visit(self) -> None:
        async with self._room.entered(alone=self._alone):
            self.inside.set()
            await self.leave.wait()


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_most_share_the_room() -> None:
    """Jobs that need no privacy run beside each other."""
    room = Room()
    guests = [Guest(room), Guest(room)]

    for guest in guests:
        await guest.inside.wait()

    for guest in guests:
        guest.leave.set()
        await guest.task


async def test_one_who_wants_to_be_alone_waits_and_is_alone() -> None:
    """It enters when the others have left, nobody overtakes it, and the rest follow after it."""
    room = Room()
    first = Guest(room)
    await first.inside.wait()
    recluse, late = Guest(room, alone=True), Guest(room)
    await _settle()
    assert not recluse.inside.is_set()
    assert not late.inside.is_set()

    first.leave.set()
    await recluse.inside.wait()
    await _settle()
    assert not late.inside.is_set()

    recluse.leave.set()
    await late.inside.wait()
    late.leave.set()
    await asyncio.gather(first.task, recluse.task, late.task)


async def test_two_who_want_to_be_alone_take_turns() -> None:
    """Neither waits for the other for ever."""
    room = Room()
    one, other = Guest(room, alone=True), Guest(room, alone=True)
    await one.inside.wait()
    await _settle()
    assert not other.inside.is_set()

    one.leave.set()
    await other.inside.wait()
    other.leave.set()
    await asyncio.gather(one.task, other.task)


async def test_a_wish_that_is_given_up_blocks_nobody() -> None:
    """Cancelling one who waits to be alone lets the others in."""
    room = Room()
    first = Guest(room)
    await first.inside.wait()
    recluse = Guest(room, alone=True)
    await _settle()

    recluse.task.cancel()
    await asyncio.wait([recluse.task])

    late = Guest(room)
    await late.inside.wait()
    for guest in (first, late):
        guest.leave.set()
        await guest.task

"""Turns among the watches that catch up."""

from __future__ import annotations

import asyncio

from services.status.turns import READ_AT_ONCE, Turns


class Reads:
    """Reads of which the test says when they end."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.begun: list[str] = []
        self.go_on = asyncio.Event()

    async def read(self, tenant: str) -> None:
        """One page."""
        async with self.turns.of(tenant):
            self.begun.append(tenant)
            await self.go_on.wait()


async def all_wait() -> None:
    """Lets everybody come as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_many_watches_of_one_tenant_hold_up_no_other() -> None:
    """A tenant reads one page at a time, and another's page is read at once however many of the first's wait."""
    reads = Reads()
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(reads.read("many"))
        group.create_task(reads.read("few"))
        await all_wait()
        assert sorted(reads.begun) == ["few", "many"]
        reads.go_on.set()
    assert len(reads.begun) == 51


async def test_all_tenants_together_leave_connections_to_others() -> None:
    """No more pages than the bound are read at once, and those who leave while they wait take no place with them."""
    reads = Reads()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(reads.read(f"tenant-{number}")) for number in range(READ_AT_ONCE + 3)]
        await all_wait()
        assert len(reads.begun) == READ_AT_ONCE
        tasks[READ_AT_ONCE].cancel()
        await all_wait()
        assert len(reads.begun) == READ_AT_ONCE
        reads.go_on.set()
    assert len(reads.begun) == READ_AT_ONCE + 2

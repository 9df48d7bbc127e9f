"""Changes are read in the order of their transactions' numbers, also where a number gains a digit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from cutline.store.design_reads import list_changes
from cutline.store.ids import new_id
from cutline.store.tombstones import list_deleted

XIDS = (8, 9, 10, 11, 98, 99, 100, 101, 1000)


@pytest.fixture
async def connection(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to a migrated database."""
    opened = await asyncpg.connect(postgres_dsn)
    yield opened
    await opened.close()


async def page_by_page(read: Callable[[int, UUID | None], Awaitable[list[Any]]]) -> list[int]:
    """The transactions of all pages of two, from the first on."""
    found: list[int] = []
    since_xid, after = 0, None
    while page := await read(since_xid, after):
        found += [entry.change_xid for entry in page]
        since_xid, after = page[-1].change_xid, page[-1].design_id
    return found


async def test_no_change_is_left_out_between_pages(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Pages of changed designs hold every one of them once, by number."""
    for xid in XIDS:
        await connection.execute(
            "INSERT INTO designs (design_id, tenant, title, labels, reference, upload_id, artwork_key, filename,"
            " media_type, size_bytes, sha256, change_xid)"
            " VALUES ($1, 'acme', '', '{}', '', $1, 'key', 'a.png', 'image/png', 1, $2, $3::text::xid8)",
            new_id(),
            bytes(32),
            str(xid),
        )

    async def read(since_xid: int, after: UUID | None) -> list[Any]:
        return await list_changes(connection, "acme", since_xid=since_xid, after=after, limit=2)

    assert await page_by_page(read) == list(XIDS)


async def test_no_delete_is_left_out_between_pages(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Pages of deleted designs hold every one of them once, by number."""
    for xid in XIDS:
        await connection.execute(
            "INSERT INTO design_tombstones (design_id, tenant, change_xid) VALUES ($1, 'acme', $2::text::xid8)",
            new_id(),
            str(xid),
        )

    async def read(since_xid: int, after: UUID | None) -> list[Any]:
        return await list_deleted(connection, "acme", since_xid=since_xid, after=after, limit=2)

    assert await page_by_page(read) == list(XIDS)

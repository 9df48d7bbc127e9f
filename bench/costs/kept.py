"""What the rows of a design take on disk, indexes included.

A few dozen rows do not fill a page of each index. So the measured designs are copied, ids anew and in the order of
time, into tables of the same shape until there are thousands; what those take, divided by the designs, is the answer.
It is that of rows freshly written: room that updates leave until vacuum gives it back comes on top.
"""

from __future__ import annotations

from typing import Final

import asyncpg

SCHEMA: Final = "scale"
DESIGNS: Final = 10_000
_FIRST_MS: Final = 1_800_000_000_000
"""Milliseconds in the copied ids (UUIDv7) of the first copies; later copies come later."""
_ID_COLUMNS: Final = ("upload_id", "design_id", "job_id", "request_id", "resource_id", "outbox_id")
TABLES: Final = (
    "uploads", "designs", "generations", "jobs", "attempts", "artifacts", "findings", "mockups", "timeline", "requests",
)  # fmt: skip


async def kept_bytes(database: asyncpg.Connection[asyncpg.Record]) -> dict[str, dict[str, float]]:
    """Bytes a design of each table: rows with their TOAST parts, and indexes."""
    designs: int = await database.fetchval("SELECT count(*) FROM designs")
    copies = -(-DESIGNS // designs)
    await database.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
    found = {}
    for table in TABLES:
        await _copy(database, table, copies)
        await database.execute(f"VACUUM ANALYZE {SCHEMA}.{table}")
        row = await database.fetchrow(
            "SELECT pg_table_size($1::regclass) AS rows_bytes, pg_indexes_size($1::regclass) AS indexes_bytes,"
            " (SELECT reltuples FROM pg_class WHERE oid = $1::regclass) AS rows",
            f"{SCHEMA}.{table}",
        )
        assert row is not None  # noqa: S101  (a query without FROM has a row)
        found[table] = {
            "rows": round(row["rows"] / (designs * copies), 2),
            "rows_bytes": round(row["rows_bytes"] / (designs * copies), 1),
            "indexes_bytes": round(row["indexes_bytes"] / (designs * copies), 1),
        }
    await database.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    return found


async def _copy(database: asyncpg.Connection[asyncpg.Record], table: str, copies: int) -> None:
    """Fills a table of the same shape; a copy keeps the random end of each id and takes another time."""
    await database.execute(f"CREATE TABLE {SCHEMA}.{table} (LIKE {table} INCLUDING ALL)")
    columns = [
        row["attname"]
        for row in await database.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped"
            " ORDER BY attnum",
            table,
        )
    ]
    moved = (
        f"(lpad(to_hex({_FIRST_MS} + copy), 12, '0') || right(replace({column}::text, '-', ''), 20))::uuid"
        if column in _ID_COLUMNS
        else column
        for column in columns
    )
    await database.execute(
        f"INSERT INTO {SCHEMA}.{table} SELECT {', '.join(moved)} FROM generate_series(1, {copies}) copy,"  # noqa: S608  (constants and the database's own names)
        f" {table} ORDER BY copy"
    )

"""What the servers count by themselves: messages of each connection, rows and WAL, calls to the object store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from prometheus_client.parser import text_string_to_metric_families

from bench.costs.processes import WORKERS
from cutline.embedded.server import plain_http_client
from cutline.embedded.stack import EmbeddedStack

_WAL: Final = "SELECT wal_records, wal_fpi FROM pg_stat_wal"
_WAL_CALLS: Final = "SELECT sum(writes)::bigint, sum(fsyncs)::bigint FROM pg_stat_io WHERE object = 'wal'"
_DATABASE: Final = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
_TABLES: Final = "SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del FROM pg_stat_user_tables"
_BLOB_CALLS: Final = "cutline_blob_duration_seconds_count"


class Counters:
    """Reads a stack's counters; each only grows, so that what a run cost is a difference."""

    def __init__(self, stack: EmbeddedStack, database: asyncpg.Connection[asyncpg.Record]) -> None:
        self._stack = stack
        self._database = database

    async def wal_bytes(self) -> float:
        """Where the write-ahead log ends."""
        return float(await self._database.fetchval("SELECT pg_current_wal_lsn() - '0/0'"))

    async def postgres(self) -> Counter[str]:
        """Transactions, the log's records, full pages and syncs, and rows changed by table.

        Sessions hand their counts in when they rest: read it some seconds after the work.
        """
        found: Counter[str] = Counter()
        found["WAL records"], found["WAL full pages"] = await self._row(_WAL)
        found["WAL writes"], found["WAL syncs"] = await self._row(_WAL_CALLS)
        found["transactions"] = (await self._row(_DATABASE))[0]
        for table, inserted, updated, hot, deleted in await self._database.fetch(_TABLES):
            found.update(
                {
                    f"{table} inserted": inserted,
                    f"{table} updated": updated,
                    f"{table} updated in place": hot,
                    f"{table} deleted": deleted,
                }
            )
        return found

    async def broker(self) -> Counter[str]:
        """Messages and bytes that the broker took from each service and gave to it, its acks and pulls included."""
        found: Counter[str] = Counter()
        # A worker goes by its host's name and its process id.
        workers = {str(self._stack.services[name].program_id): name for name in WORKERS}
        for one in (await self._monitor("/connz?limit=1024"))["connections"]:
            name = str(one.get("name", ""))
            service = workers.get(name.rpartition("-")[2], name.partition("-")[0])
            for key in ("in_msgs", "in_bytes", "out_msgs", "out_bytes"):
                found[f"{service} {key}"] += one[key]
        return found

    async def streams(self) -> Counter[str]:
        """Messages and bytes that lie in each stream, and the number of the last one stored."""
        found: Counter[str] = Counter()
        answer = await self._monitor("/jsz?accounts=true&streams=true")
        for account in answer["account_details"]:
            for stream in account.get("stream_detail", ()):
                state = stream["state"]
                found[f"{stream['name']} messages"] = state["messages"]
                found[f"{stream['name']} bytes"] = state["bytes"]
                found[f"{stream['name']} last"] = state["last_seq"]
        return found

    async def metrics(self) -> Counter[str]:
        """Calls to the object store by service and operation, and doorbells heard by the status service."""
        found: Counter[str] = Counter()
        async with plain_http_client() as client:
            for name, service in self._stack.services.items():
                answer = await client.get(f"{service.http_url}/metrics")
                answer.raise_for_status()
                for family in text_string_to_metric_families(answer.text):
                    for sample in family.samples:
                        if sample.name == _BLOB_CALLS:
                            found[f"{name} {sample.labels['cutline_blob_operation']}"] += int(sample.value)
                        elif sample.name == "cutline_rings_total":
                            found[f"{name} rings {sample.labels['cutline_outcome']}"] += int(sample.value)
        return found

    async def _row(self, query: str) -> asyncpg.Record:
        row = await self._database.fetchrow(query)
        assert row is not None  # noqa: S101  (the views have one row)
        return row

    async def _monitor(self, path: str) -> Mapping[str, Any]:
        async with plain_http_client() as client:
            answer = await client.get(self._stack.servers.nats.monitor_url + path)
        answer.raise_for_status()
        found: Mapping[str, Any] = answer.json()
        return found

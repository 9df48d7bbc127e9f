"""The connection pool to Postgres: opened with patience, closed with a bound, jsonb as Python values."""

from __future__ import annotations

import asyncio
import json
import math
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from cutline.domain.errors import Reason, UnavailableError
from cutline.runtime.logging import get_logger
from cutline.runtime.settings import PostgresSettings
from cutline.runtime.tls import ClientTls
from cutline.store.connection import Connector
from cutline.store.migrations import require_current

log = get_logger(__name__)

_T = TypeVar("_T")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
CLOSE_TIMEOUT_S: Final = 10.0
PROBE_TIMEOUT_S: Final = 2.0
IDLE_IN_TRANSACTION_S: Final = 5.0
"""Longest a transaction may wait for its own client: one that is frozen or cut off would keep its locks for ever."""
MAX_CONFLICTS: Final = 8

CONFLICTS: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""SQLSTATE 40P01 and 40001: nothing was done, and the same transaction can succeed at once."""

LOST_CONNECTION: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # The driver's own protest where the server's farewell crosses a statement.
    asyncpg.InternalClientError,
)
"""What a database that is away, starting or full looks like."""


class Database:
    """A part that holds the pool.

    Args:
        dsn: `postgresql://...`.
        application_name: What `pg_stat_activity` shows.
        pool_min: Connections kept open.
        pool_max: Connections at most.
        wait_s: How long `start` waits for the server; None waits for ever.
        command_timeout_s: Longest any statement may take.
        idle_in_transaction_s: Longest a transaction may wait for its client's next statement; then Postgres ends it.
        plan_once: Whether each statement is planned once for all arguments. Good for statements that find their rows
            by keys in arrays: the planner would else plan anew for each length, which costs more than the rows.
        tls: Roots, and the certificate to show; read anew for every connection. None leaves it to the address.
    """

    def __init__(
        self,
        dsn: str,
        *,
        application_name: str,
        pool_min: int = 1,
        pool_max: int = 10,
        wait_s: float | None = None,
        command_timeout_s: float = 30.0,
        idle_in_transaction_s: float = IDLE_IN_TRANSACTION_S,
        plan_once: bool = False,
        tls: ClientTls | None = None,
    ) -> None:
        self._dsn = dsn
        self._connector = Connector(tls)
        self._pool_min = pool_min
        self._pool_max = pool_max
        self._wait_s = wait_s
        self._command_timeout_s = command_timeout_s
        self._server_settings = {
            "application_name": f"cutline-{application_name}",
            "idle_in_transaction_session_timeout": _milliseconds(idle_in_transaction_s),
        }
        if plan_once:
            self._server_settings["plan_cache_mode"] = "force_generic_plan"
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._answered_s = -math.inf

    @classmethod
    def of(cls, settings: PostgresSettings, *, application_name: str, plan_once: bool = False) -> Self:
        """The pool that a service's settings ask for; the arguments as of the class."""
        return cls(
            settings.dsn,
            application_name=application_name,
            pool_min=settings.pool_min,
            pool_max=settings.pool_max,
            plan_once=plan_once,
            tls=settings.tls,
        )

    @property
    def pool(self) -> asyncpg.Pool[asyncpg.Record]:
        """The open pool."""
        if self._pool is None:
            msg = "the database pool is not open"
            raise RuntimeError(msg)
        return self._pool

    async def start(self) -> None:
        """Opens the pool once the server answers.

        Raises:
            UnavailableError: The server did not answer within `wait_s`.
            MigrationError: The schema is not the one this release was written for.
        """
        try:
            async with asyncio.timeout(self._wait_s):
                pool = await self._open()
        except TimeoutError:
            raise store_unavailable() from None
        try:
            await require_current(pool)
        except BaseException:
            pool.terminate()
            raise
        self._pool = pool

    async def stop(self) -> None:
        """Closes the pool; connections still in use after 10 s are cut."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def _open(self) -> asyncpg.Pool[asyncpg.Record]:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await asyncpg.create_pool(
                    self._dsn,
                    connect=self._connector.connect,
                    min_size=self._pool_min,
                    max_size=self._pool_max,
                    command_timeout=self._command_timeout_s,
                    init=prepare_connection,
                    reset=_keep,
                    server_settings=self._server_settings,
                )
            except LOST_CONNECTION as error:
                told = {"problem": str(error)} if isinstance(error, ssl.SSLError) else {}  # else its kind says it all
                log.warning("database.waiting", error=type(error).__name__, pause_s=pause_s, **told)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311  (jitter, not a secret)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def problem(self) -> str | None:
        """What keeps the database from answering, or None: a readiness check.

        Connections that are all at work, and get answers, are load and no outage: a process that said it was not ready
        then would leave its callers to the others, which have as much to do.
        """
        if self._pool is None:
            return "Postgres has not answered yet"
        asked_s = time.monotonic()
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self._pool.fetchval("SELECT 1")
        except TimeoutError:
            return None if self._answered_s >= asked_s else "Postgres does not answer (TimeoutError)"
        except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
            return f"Postgres does not answer ({type(error).__name__})"
        return None

    @asynccontextmanager
    async def transaction(self, *, idle_s: float | None = None) -> AsyncIterator[Connection]:
        """A connection inside a transaction.

        Args:
            idle_s: Longest it may wait for the next statement, where somebody else is asked in between; None for the
                database's usual limit.

        Raises:
            UnavailableError: The database cannot be reached, or was lost on the way.
        """
        try:
            async with self.pool.acquire() as connection, connection.transaction():
                if idle_s is not None:
                    await connection.execute(_MAY_BE_IDLE, _milliseconds(idle_s))
                yield connection
        except LOST_CONNECTION as error:
            raise store_unavailable() from error
        self._answered_s = time.monotonic()

    async def run_transaction(self, work: Callable[[Connection], Awaitable[_T]]) -> _T:
        """Runs `work` in a transaction, again from the start when Postgres asks for that (40P01, 40001).

        Raises:
            UnavailableError: The database cannot be reached, or the conflict did not end.
        """
        for _ in range(MAX_CONFLICTS):
            try:
                async with self.transaction() as connection:
                    return await work(connection)
            except CONFLICTS:
                continue
        raise store_unavailable()

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]:
        """Every row of a query; errors as in `transaction`."""
        return await self._guarded(self.pool.fetch(query, *args))

    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None:
        """The first row of a query; errors as in `transaction`."""
        return await self._guarded(self.pool.fetchrow(query, *args))

    async def fetchval(self, query: str, *args: object) -> Any:
        """The first value of the first row; errors as in `transaction`."""
        return await self._guarded(self.pool.fetchval(query, *args))

    async def execute(self, query: str, *args: object) -> str:
        """Runs a statement and returns its command tag; errors as in `transaction`."""
        return await self._guarded(self.pool.execute(query, *args))

    async def _guarded(self, call: Awaitable[_T]) -> _T:
        try:
            result = await call
        except LOST_CONNECTION as error:
            raise store_unavailable() from error
        self._answered_s = time.monotonic()
        return result


_MAY_BE_IDLE: Final = "SELECT set_config('idle_in_transaction_session_timeout', $1, true)"


def _milliseconds(duration_s: float) -> str:
    return f"{duration_s * 1000:.0f}ms"


def store_unavailable() -> UnavailableError:
    """The error a caller sees while the database is away."""
    return UnavailableError(Reason.STORE_UNAVAILABLE, "The database cannot be reached; try again.", retry_after_s=1.0)


async def prepare_connection(connection: Connection) -> None:
    """Sets the codecs every connection has: jsonb as Python values, without spaces."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_to_json, decoder=json.loads, format="text")


async def _keep(_: Connection) -> None:
    """Leaves a returned connection as it is: nothing here sets session state, and a reset costs a round trip."""


def _to_json(value: Mapping[str, object] | list[object]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)

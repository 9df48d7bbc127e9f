"""`python -m cutline.rpc.keys make|list|revoke`: the API keys of the database named by CUTLINE_POSTGRES_DSN.

A key's text is printed once, when it is made; the database only knows its SHA-256.
Exit codes: 0 done, 1 nothing of that name or no database, 2 bad arguments or settings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

import asyncpg

from cutline.domain.principal import Scope
from cutline.rpc.api_keys import new_api_key
from cutline.store.operator_command import run_on_database, tenant_argument

_INSERT = "INSERT INTO api_keys (key_id, tenant, sha256, scopes) VALUES ($1, $2, $3, $4)"
_LIST = "SELECT key_id, tenant, scopes, create_time, revoke_time FROM api_keys ORDER BY tenant, create_time"
_REVOKE = "UPDATE api_keys SET revoke_time = now() WHERE key_id = $1 AND revoke_time IS NULL RETURNING tenant"


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the arguments say; the exit code."""
    choice = _parser().parse_args(arguments)
    return run_on_database(partial(_run, choice))


async def _run(choice: argparse.Namespace, connection: asyncpg.Connection[asyncpg.Record]) -> int:
    match choice.command:
        case "make":
            return await _make(connection, choice.tenant, choice.scope)
        case "list":
            return await _list(connection)
        case _:
            return await _revoke(connection, choice.key_id)


async def _make(connection: asyncpg.Connection[asyncpg.Record], tenant: str, scopes: list[str] | None) -> int:
    key = new_api_key()
    granted = scopes or [Scope.DESIGNS_READ.value, Scope.DESIGNS_WRITE.value]
    await connection.execute(_INSERT, key.key_id, tenant, key.sha256, granted)
    sys.stderr.write(f"key {key.key_id} of tenant {tenant} may {', '.join(granted)}; it is shown this once:\n")
    sys.stdout.write(f"{key.text}\n")
    return 0


async def _list(connection: asyncpg.Connection[asyncpg.Record]) -> int:
    for row in await connection.fetch(_LIST):
        ended = f" revoked {row['revoke_time']:%Y-%m-%d %H:%M}" if row["revoke_time"] else ""
        made = f"{row['create_time']:%Y-%m-%d %H:%M}"
        sys.stdout.write(f"{row['key_id']}  {row['tenant']:<20} {made}  {','.join(row['scopes'])}{ended}\n")
    return 0


async def _revoke(connection: asyncpg.Connection[asyncpg.Record], key_id: str) -> int:
    tenant = await connection.fetchval(_REVOKE, key_id)
    if tenant is None:
        sys.stderr.write(f"there is no working key {key_id}\n")
        return 1
    sys.stdout.write(f"key {key_id} of tenant {tenant} is revoked; services believe it for 30 s more at most\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cutline.rpc.keys", description="Makes, lists and revokes API keys."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="make a key and print it")
    make.add_argument("--tenant", type=tenant_argument, required=True, help="whose designs it sees")
    make.add_argument(
        "--scope",
        action="append",
        choices=[scope.value for scope in Scope],
        help="what it may do; may be repeated (default: read and write designs)",
    )
    commands.add_parser("list", help="list the keys, without their text")
    revoke = commands.add_parser("revoke", help="end a key")
    revoke.add_argument("key_id")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`python -m cutline.rpc.keys make|list|revoke`: the API keys of the database named by CUTLINE_POSTGRES_DSN.

A key's text is printed once, when it is made; the database only knows its SHA-256.
Exit codes: 0 done, 1 nothing of that name or no database, 2 bad arguments or settings.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

import asyncpg

from cutline.domain.principal import TENANT_PATTERN, Scope
from cutline.rpc.api_keys import new_api_key
from cutline.runtime.environment import EnvReader, SettingsError

_INSERT = "INSERT INTO api_keys (key_id, tenant, sha256, scopes) VALUES ($1, $2, $3, $4)"
_LIST = "SELECT key_id, tenant, scopes, create_time, revoke_time FROM api_keys ORDER BY tenant, create_time"
_REVOKE = "UPDATE api_keys SET revoke_time = now() WHERE key_id = $1 AND revoke_time IS NULL RETURNING tenant"


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the arguments say; the exit code."""
    choice = _parser().parse_args(arguments)
    env = EnvReader(os.environ)
    dsn = env.secret("CUTLINE_POSTGRES_DSN")
    try:
        env.finish()
    except SettingsError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        return 2
    try:
        return asyncio.run(_run(choice, dsn))
    except (OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"the database did not answer: {error}\n")
        return 1


async def _run(choice: argparse.Namespace, dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        match choice.command:
            case "make":
                return await _make(connection, choice.tenant, choice.scope)
            case "list":
                return await _list(connection)
            case _:
                return await _revoke(connection, choice.key_id)
    finally:
        await connection.close()


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


def _tenant(text: str) -> str:
    if not TENANT_PATTERN.fullmatch(text):
        message = f"{text!r} is not a tenant id: 1 to 63 of a-z, 0-9 and -"
        raise argparse.ArgumentTypeError(message)
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cutline.rpc.keys", description="Makes, lists and revokes API keys."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="make a key and print it")
    make.add_argument("--tenant", type=_tenant, required=True, help="whose designs it sees")
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

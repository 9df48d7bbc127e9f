"""`python -m cutline.store.tenant_settings keep|list|clear`: how long tenants keep their designs.

Without a setting designs stay until their tenant deletes them. The database is the one CUTLINE_POSTGRES_DSN names.
Exit codes: 0 done, 1 the tenant has no setting or no database, 2 bad arguments or settings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final

import asyncpg

from cutline.store.operator_command import run_on_database, tenant_argument

DAY_S: Final = 86_400
LONGEST_DAYS: Final = 36_500

_KEEP: Final = """
INSERT INTO tenant_settings (tenant, design_keep_s) VALUES ($1, $2)
ON CONFLICT (tenant) DO UPDATE SET design_keep_s = EXCLUDED.design_keep_s, update_time = now()
"""
_LIST: Final = "SELECT tenant, design_keep_s FROM tenant_settings ORDER BY tenant"
_CLEAR: Final = "DELETE FROM tenant_settings WHERE tenant = $1 RETURNING tenant"


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the arguments say; the exit code."""
    choice = _parser().parse_args(arguments)
    return run_on_database(partial(_run, choice))


async def _run(choice: argparse.Namespace, connection: asyncpg.Connection[asyncpg.Record]) -> int:
    match choice.command:
        case "keep":
            await connection.execute(_KEEP, choice.tenant, choice.days * DAY_S)
            sys.stdout.write(f"designs of {choice.tenant} are deleted {choice.days} days after their end\n")
        case "list":
            for row in await connection.fetch(_LIST):
                sys.stdout.write(f"{row['tenant']:<20} {row['design_keep_s'] / DAY_S:g} days\n")
        case _:
            if await connection.fetchval(_CLEAR, choice.tenant) is None:
                sys.stderr.write(f"{choice.tenant} has no setting\n")
                return 1
            sys.stdout.write(f"designs of {choice.tenant} stay until they are deleted\n")
    return 0


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST_DAYS:
        message = f"{text!r} is not a whole number of days from 1 to {LONGEST_DAYS}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cutline.store.tenant_settings", description="Says how long tenants keep their designs."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    keep = commands.add_parser("keep", help="delete a tenant's designs so long after their end")
    keep.add_argument("--tenant", type=tenant_argument, required=True)
    keep.add_argument("--days", type=_days, required=True)
    commands.add_parser("list", help="list what is set")
    clear = commands.add_parser("clear", help="keep a tenant's designs until they are deleted")
    clear.add_argument("--tenant", type=tenant_argument, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""What the commands that an operator runs on the database share: where it is, and how a failure ends."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import asyncpg

from cutline.domain.principal import TENANT_PATTERN
from cutline.runtime.environment import EnvReader, SettingsError
from cutline.runtime.settings import PostgresSettings
from cutline.store.connection import connect


def run_on_database(work: Callable[[asyncpg.Connection[asyncpg.Record]], Awaitable[int]]) -> int:
    """Does the work on the database of the environment; what it gives is the exit code.

    1 where the database does not answer, 2 where a setting cannot be used; either is told on the error stream.
    """
    env = EnvReader(os.environ)
    settings = PostgresSettings.read(env)
    try:
        env.finish()
    except SettingsError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        return 2
    try:
        return asyncio.run(_connected(work, settings))
    except (OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"the database did not answer: {error}\n")
        return 1


async def _connected(
    work: Callable[[asyncpg.Connection[asyncpg.Record]], Awaitable[int]], settings: PostgresSettings
) -> int:
    connection = await connect(settings)
    try:
        return await work(connection)
    finally:
        await connection.close()


def tenant_argument(text: str) -> str:
    """A tenant id of the command line.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not TENANT_PATTERN.fullmatch(text):
        message = f"{text!r} is not a tenant id: 1 to 63 of a-z, 0-9 and -"
        raise argparse.ArgumentTypeError(message)
    return text

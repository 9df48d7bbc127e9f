"""`python -m cutline.store.migrations`: brings the database named by CUTLINE_POSTGRES_DSN up to date.

CUTLINE_POSTGRES_CA_FILE and its like are read too.
Exit codes: 0 up to date, 1 refused or failed, 2 a setting is missing or cannot be used.
"""

from __future__ import annotations

import asyncio
import os
import sys

import asyncpg

from cutline.runtime.environment import EnvReader, SettingsError
from cutline.runtime.logging import configure_logging, get_logger, log_problems
from cutline.runtime.settings import LogLevel, PostgresSettings
from cutline.store.migrations import MigrationError, migrate

log = get_logger(__name__)


def main() -> int:
    """Runs the migrations and returns the exit code."""
    configure_logging("migrations", LogLevel.INFO)
    env = EnvReader(os.environ)
    postgres = PostgresSettings.read(env)
    try:
        env.finish()
    except SettingsError as error:
        log_problems(error)
        return 2
    try:
        applied = asyncio.run(migrate(postgres.dsn, tls=postgres.tls))
    except (MigrationError, OSError, asyncpg.PostgresError) as error:
        log.error("migrations.failed", problem=str(error))  # noqa: TRY400  (the message names the file and the mend)
        return 1
    log.info("migrations.done", applied=applied)
    return 0


if __name__ == "__main__":
    sys.exit(main())

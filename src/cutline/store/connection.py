"""Single connections to Postgres: made as the address says, or with TLS from files that may be renewed meanwhile."""

from __future__ import annotations

import ssl
from typing import Any

import asyncpg

from cutline.runtime.logging import get_logger
from cutline.runtime.settings import PostgresSettings
from cutline.runtime.tls import ClientTls, TlsFileError

log = get_logger(__name__)


class Connector:
    """Makes connections, each with the certificates as they are by then.

    Args:
        tls: Roots, and the certificate to show; None leaves it to the address (`sslmode` and its like).
    """

    def __init__(self, tls: ClientTls | None) -> None:
        self._tls = tls
        self._context: ssl.SSLContext | None = None

    async def connect(self, dsn: str | None = None, **options: Any) -> asyncpg.Connection[asyncpg.Record]:
        """A connection.

        Args:
            dsn: `postgresql://...`.
            options: Of `asyncpg.connect`.

        Raises:
            OSError: The server cannot be reached, or is not who it should be.
            asyncpg.PostgresError: It refuses.
        """
        if self._tls is not None:
            options["ssl"] = self._ssl(self._tls)
        return await asyncpg.connect(dsn, **options)

    def _ssl(self, tls: ClientTls) -> ssl.SSLContext:
        """The context of the next connection; that of the last one where the files cannot be used any more."""
        try:
            self._context = tls.context()
        except TlsFileError as error:
            log.error("database.certificates_unusable", problem=str(error))  # noqa: TRY400  (the message says it all)
            if self._context is None:
                raise OSError(str(error)) from error
        return self._context


async def connect(settings: PostgresSettings, **options: Any) -> asyncpg.Connection[asyncpg.Record]:
    """One connection to the database of the settings; errors as of `Connector.connect`."""
    return await Connector(settings.tls).connect(settings.dsn, **options)

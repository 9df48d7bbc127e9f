"""The client, where the library's own way would stall or weaken a connection."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client
from nats.aio.client import Srv as KnownServer

from cutline.runtime.tls import ClientTls, TlsFileError


class BrokerClient(Client):
    """A client that leaves a server without a farewell, and that keeps to TLS where TLS is asked for.

    Args:
        addresses: Of the servers; `tls://...` asks for TLS.
        tls: How servers are verified and what is shown to them; asks for TLS too. None verifies with public roots.
    """

    def __init__(self, addresses: Sequence[str], tls: ClientTls | None) -> None:
        super().__init__()
        parts = [urlsplit(address) for address in addresses]
        self._tls_files = tls
        self._wants_tls = tls is not None or any(part.scheme == "tls" for part in parts)
        names = [part.hostname for part in parts if part.hostname and not _is_ip(part.hostname)]
        self._shared_name = names[0] if names else None

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """Made for each connection from the files as they are then: renewed ones need no restart."""
        if self._tls_files is None:
            return ssl.create_default_context()
        try:
            return self._tls_files.context()
        except TlsFileError as error:  # tried again like any other failure, rather than ending the client's loop
            raise nats.errors.Error(str(error)) from error

    async def _attempt_reconnect(self) -> None:
        # The client closes its connection first and waits until all it wrote has left. A server that has hung with its
        # socket full never reads it: unless it is thrown away, there is no other server until that one wakes up.
        self._throw_away()
        await super()._attempt_reconnect()

    async def _connect_to_server(self, s: KnownServer) -> None:
        # A try that failed, such as a handshake, leaves its connection open.
        self._throw_away()
        await super()._connect_to_server(s)

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except ConnectionError as error:
            # A server that refuses a certificate says why and hangs up. The client may notice the latter first.
            reader = getattr(self._transport, "_io_reader", None)
            if reader is not None and isinstance(why := reader.exception(), ssl.SSLError):
                raise why from error
            raise
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None and writer.get_extra_info("ssl_object") is not None:
            # The client makes its end of TLS as if it were a plain stream, which the loop complains of at every end.
            writer.transport.get_protocol()._over_ssl = True  # noqa: SLF001  (the streams of asyncio set it so)

    def _throw_away(self) -> None:
        for name in ("_io_writer", "_bare_io_writer"):  # with TLS and below it
            if (writer := getattr(self._transport, name, None)) is not None:
                writer.transport.abort()

    async def _send_ping(self, future: asyncio.Future[bool] | None = None) -> None:
        # The answer to a PING is to tell that all before it was heard; the client would send it ahead of what waits.
        if self._transport is not None:
            waiting, self._pending, self._pending_data_size = self._pending, [], 0
            self._transport.writelines(waiting)
        await super()._send_ping(future)

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002  (the library's signature)
        """Verifies nodes that are announced by address under the name that was configured.

        The client takes the name of the node it hears them from, which is an address itself once that node was
        announced: no certificate of another node holds it.
        """
        await super()._process_info(info, initial_connection)
        if self._shared_name is not None:
            for server in self._server_pool:
                if server.tls_name is not None:
                    server.tls_name = self._shared_name

    def _connect_command(self) -> bytes:
        """Says who it is, but never in plain text where TLS was asked for: the client leaves that to the server."""
        if self._wants_tls and not self._server_info.get("tls_required"):
            msg = "TLS is asked for and the server offers none"
            raise nats.errors.Error(msg)
        return super()._connect_command()


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""The HTTP side of the fake: artwork is put here and files are fetched from here, by signed addresses."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from cutline.testing.addresses import Addresses
from cutline.testing.faults import Faults
from cutline.testing.results import File
from cutline.testing.store import Store

HOST: Final = "127.0.0.1"
SILENCE_MOST_S: Final = 10.0
"""How long a connection may say nothing before it is closed."""


class FileServer:
    """Serves PUT and GET on loopback in threads of its own.

    Args:
        store: Where bytes go and come from.
        addresses: Knows which requests were signed.
        faults: Transfers that are to be refused.
    """

    def __init__(self, store: Store, addresses: Addresses, faults: Faults) -> None:
        self._store = store
        self._addresses = addresses
        self._faults = faults
        self._http: _Server | None = None
        self._thread: threading.Thread | None = None
        self._wake: socket.socket | None = None
        self._port = 0

    def start(self) -> None:
        """Listens, at first on a free port and later on the same again."""
        self._http = http = _Server((HOST, self._port), self)
        self._port = http.server_address[1]
        self._addresses.origin = f"http://{HOST}:{self._port}"
        self._wake, woken = socket.socketpair()
        self._thread = threading.Thread(target=_serve, args=(http, woken), name="cutline-fake-files", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Closes; transfers under way are cut off."""
        http, thread, wake = self._http, self._thread, self._wake
        if http is None or thread is None or wake is None:
            return
        self._http = self._thread = self._wake = None
        wake.close()
        thread.join()
        http.hang_up()
        http.server_close()

    def put(self, request: BaseHTTPRequestHandler, data: bytes) -> tuple[HTTPStatus | int, str]:
        """Keeps artwork; the status and, where it is refused, why."""
        if refused := self._refused("PUT", request):
            return refused
        with self._store.lock:
            match _parts(request):
                case ["uploads", upload_id] if upload := self._store.uploads.get(UUID(upload_id)):
                    if upload.take(data):
                        return HTTPStatus.OK, ""
                    return HTTPStatus.BAD_REQUEST, "The bytes are not those whose length and SHA-256 were signed."
                case _:
                    return HTTPStatus.NOT_FOUND, "There is no such upload."

    def get(self, request: BaseHTTPRequestHandler) -> tuple[HTTPStatus | int, str, File | None]:
        """A file of a design; the status, why it is refused, and the file."""
        if refused := self._refused("GET", request):
            return (*refused, None)
        with self._store.lock:
            match _parts(request):
                case ["files", design_id, generation, name] if design := self._store.designs.get(UUID(design_id)):
                    file = design.files.get((int(generation), name))
                case _:
                    file = None
        if file is None:
            return HTTPStatus.NOT_FOUND, "There is no such file.", None
        return HTTPStatus.OK, "", file

    def _refused(self, method: str, request: BaseHTTPRequestHandler) -> tuple[HTTPStatus | int, str] | None:
        if fault := self._faults.take(method):
            return fault.http_status, "The fake server was told to refuse this transfer."
        url = urlsplit(request.path)
        why = self._addresses.refusal(method, unquote(url.path), url.query, dict(request.headers.items()))
        return (HTTPStatus.FORBIDDEN, why) if why else None


class _Server(ThreadingHTTPServer):
    # Joined when the server closes: nothing of it is left behind.
    daemon_threads = False

    def __init__(self, address: tuple[str, int], files: FileServer) -> None:
        self.files = files
        self._open: set[Any] = set()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Takes a connection."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Cuts off every connection, so that no thread goes on waiting for its caller."""
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that goes away in the middle is no news."""


class _Handler(BaseHTTPRequestHandler):
    """One request a connection (HTTP/1.0), so that no thread outlives its transfer."""

    timeout = SILENCE_MOST_S

    def do_PUT(self) -> None:
        """Takes artwork."""
        data = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        status, why = self._files.put(self, data)
        self._answer(status, why.encode(), "text/plain")

    def do_GET(self) -> None:
        """Gives a file."""
        status, why, file = self._files.get(self)
        if file is None:
            self._answer(status, why.encode(), "text/plain")
        else:
            self._answer(status, file.data, file.media_type, name=file.name)

    @property
    def _files(self) -> FileServer:
        assert isinstance(self.server, _Server)  # noqa: S101  (no other makes this handler)
        return self.server.files

    def _answer(self, status: int, body: bytes, media_type: str, *, name: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        if name:
            self.send_header("Content-Disposition", f'attachment; filename="{name}"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name of the base class)
        """Says nothing on the standard error."""


def _serve(http: _Server, woken: socket.socket) -> None:
    """Takes connections until the other end of `woken` is closed."""
    with selectors.DefaultSelector() as selector, woken:
        selector.register(http, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while woken not in {key.fileobj for key, _ in selector.select()}:
            http.handle_request()


def _parts(request: BaseHTTPRequestHandler) -> list[str]:
    return unquote(urlsplit(request.path).path).strip("/").split("/")

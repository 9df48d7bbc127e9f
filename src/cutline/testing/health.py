"""grpc.health.v1.Health by hand: its messages have one field each, and their package is not in the base install."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Final

import grpc

from cutline.rpc.policy import SERVICE_SCOPES

SERVICE: Final = "grpc.health.v1.Health"
LIVENESS: Final = "liveness"

_NAMES: Final = {"", LIVENESS, *SERVICE_SCOPES}
# HealthCheckResponse{status}: field 1, a varint; SERVING is 1, NOT_SERVING 2 and SERVICE_UNKNOWN 3.
_SERVING: Final = b"\x08\x01"
_NOT_SERVING: Final = b"\x08\x02"
_SERVICE_UNKNOWN: Final = b"\x08\x03"
# HealthCheckRequest{service}: field 1, a string, whose length follows.
_SERVICE_FIELD: Final = 0x0A


class Health:
    """Says that everything serves until the server stops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[threading.Event] = set()
        self._stopping = False

    def add_to(self, server: grpc.Server) -> None:
        """Adds the service."""
        handlers: dict[str, Any] = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    def stop(self) -> None:
        """Says NOT_SERVING to everybody who watches, and ends."""
        with self._lock:
            self._stopping = True
            for ended in self._open:
                ended.set()

    def _check(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if _service_of(request) not in _NAMES:
            context.abort(grpc.StatusCode.NOT_FOUND, "")
        return _NOT_SERVING if self._stopping else _SERVING

    def _watch(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        ended = threading.Event()
        with self._lock:
            self._open.add(ended)
        known = _service_of(request) in _NAMES
        yield _SERVING if known else _SERVICE_UNKNOWN
        if context.add_callback(ended.set) and not self._stopping:
            ended.wait()
        with self._lock:
            self._open.discard(ended)
        if known and self._stopping:
            yield _NOT_SERVING


def _service_of(request: bytes) -> str:
    if len(request) > 1 and request[0] == _SERVICE_FIELD:
        return request[2 : 2 + request[1]].decode(errors="replace")
    return ""

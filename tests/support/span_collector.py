"""An OTLP receiver for tests."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """A span as it arrived; ids in hexadecimal, `parent_id` empty for a root."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str


class SpanCollector(trace_service_pb2_grpc.TraceServiceServicer):
    """`with SpanCollector() as collector`: listens on a free loopback port and keeps what it is sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[SeenSpan] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]  # generated
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def Export(  # noqa: N802  (named by the OTLP service)
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Keeps the spans of one export."""
        del context
        with self._lock:
            for resource in request.resource_spans:
                service = next(
                    (pair.value.string_value for pair in resource.resource.attributes if pair.key == "service.name"), ""
                )
                self._spans.extend(
                    SeenSpan(service, span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    for scope in resource.scope_spans
                    for span in scope.spans
                )
        return trace_service_pb2.ExportTraceServiceResponse()

    def of_trace(self, trace_id: str) -> list[SeenSpan]:
        """The spans of one trace that have arrived so far."""
        with self._lock:
            return [span for span in self._spans if span.trace_id == trace_id]

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()

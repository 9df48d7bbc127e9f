"""Metrics are scraped once each, spans reach an OTLP receiver, and steps measured elsewhere become spans."""

from __future__ import annotations

import re
from collections import Counter as Count
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from cutline.runtime.environment import ListenAddress
from cutline.runtime.settings import ShellSettings
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute, Metric, Span
from cutline.telemetry.setup import Telemetry
from cutline.telemetry.steps import StepTiming, record_steps

ROOT = Path(__file__).resolve().parents[3]
SHELL = ShellSettings(http_listen=ListenAddress("127.0.0.1", 0), trace_sample_ratio=1.0)


def _samples(exposition: bytes) -> list[str]:
    return [line for line in exposition.decode().splitlines() if line and not line.startswith("#")]


def test_names_are_declared_once() -> None:
    """No two members of a list of names have the same name, and each metric has exactly one instrument."""
    for names in (Span, Attribute, Metric):
        assert len(names) == len(names.__members__)
    assert len(fields(Metrics)) == len(Metric)


def test_every_name_is_used() -> None:
    """No name is declared for something that nobody records."""
    sources = "".join(
        module.read_text("utf-8")
        for folder in ("src/cutline", "services")
        for module in (ROOT / folder).rglob("*.py")
        if module.name != "names.py"
    )
    used = set(re.findall(r"\b(?:Span|SpanName|Attribute|Metric)\.([A-Z_]+)\b", sources))
    instruments = set(re.findall(r"\b_?metrics\.([a-z_]+)\b", sources))

    assert {name for names in (Span, Attribute, Metric) for name in names.__members__} <= used
    assert {instrument.name for instrument in fields(Metrics)} - instruments == set()


async def test_every_instrument_is_scraped_and_only_once() -> None:
    """Each instrument shows under its name in Prometheus' form, and a second scrape does not double it."""
    telemetry = Telemetry.of_service("ingest", SHELL)
    for instrument in fields(Metrics):
        measure: Any = getattr(telemetry.metrics, instrument.name)
        (getattr(measure, "record", None) or getattr(measure, "add", None) or measure.set)(1)
    first, second = _samples(telemetry.exposition()), _samples(telemetry.exposition())
    await telemetry.stop()

    for metric in Metric:
        assert any(sample.startswith(metric.replace(".", "_")) for sample in first), metric
    names = Count(sample.rpartition(" ")[0] for sample in second)
    assert {name: times for name, times in names.items() if times > 1} == {}
    assert len(first) == len(second)


async def test_silent_telemetry_takes_everything_and_shows_nothing() -> None:
    """Where nobody measures, the same code runs."""
    telemetry = Telemetry.silent()
    await telemetry.start()
    telemetry.metrics.submits.add(1)
    telemetry.metrics.queue_depth.set(1)
    with telemetry.tracer.start_as_current_span("x") as span:
        assert not span.is_recording()
    assert telemetry.exposition() == b""
    await telemetry.stop()


@dataclass
class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP receiver that keeps what it gets."""

    requests: list[Any] = field(default_factory=list)

    async def Export(self, request: Any, _context: object) -> Any:  # noqa: N802  (the contract's name)
        """Keeps one batch."""
        self.requests.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    """A running receiver and its address."""
    servicer, server = Receiver(), grpc.aio.server()
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"http://127.0.0.1:{port}"
    await server.stop(None)


async def test_spans_reach_the_otlp_receiver_before_the_stop_ends(receiver: tuple[Receiver, str]) -> None:
    """Stopping sends the spans that wait, with the service's name."""
    servicer, endpoint = receiver
    telemetry = Telemetry.of_service(
        "ingest", ShellSettings(SHELL.http_listen, otlp_endpoint=endpoint, trace_sample_ratio=1.0)
    )
    with telemetry.tracer.start_as_current_span("ingest.group_commit"):
        pass
    await telemetry.stop()
    await telemetry.stop()

    ((resource,),) = [request.resource_spans for request in servicer.requests]
    attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert attributes["service.name"] == "cutline-ingest"
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["ingest.group_commit"]


def test_steps_measured_elsewhere_become_spans() -> None:
    """A step's span has the times it was given, the current span as parent, and an error where it failed."""
    exporter = InMemorySpanExporter()
    telemetry = Telemetry.of_service("imaging", SHELL, span_processors=(SimpleSpanProcessor(exporter),))
    timings = [
        StepTiming("decode", 1_000_000_000, 1_250_000_000, {"cutline.size_bytes": 7}),
        StepTiming("cutout", 1_250_000_000, 2_000_000_000, error_type="ArtworkError"),
    ]
    with telemetry.tracer.start_as_current_span("process") as parent:
        record_steps(telemetry.tracer, timings, metrics=telemetry.metrics)
    decode, cutout, _ = exporter.get_finished_spans()

    assert (decode.name, decode.start_time, decode.end_time) == ("step decode", 1_000_000_000, 1_250_000_000)
    assert decode.parent is not None
    assert decode.parent.span_id == parent.get_span_context().span_id
    assert decode.attributes == {"cutline.step": "decode", "cutline.size_bytes": 7}
    assert decode.status.status_code is StatusCode.UNSET
    assert cutout.status.status_code is StatusCode.ERROR
    assert 'cutline_step_duration_seconds_sum{cutline_step="cutout"} 0.75' in telemetry.exposition().decode()

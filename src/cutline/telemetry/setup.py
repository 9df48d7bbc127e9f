"""One tracer provider and one meter provider per process, held by one value and never global."""

from __future__ import annotations

import asyncio
import os
import socket
from importlib.metadata import version
from typing import Self

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import NoOpTracerProvider, Tracer
from prometheus_client import CollectorRegistry, generate_latest

from cutline.runtime.settings import ShellSettings
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import SCOPE, Attribute

EXPORT_TIMEOUT_MS = 3_000


class Telemetry:
    """What a service traces and measures with; a part that is started first and stopped last.

    The Prometheus reader must never be flushed: a `force_flush` of its provider doubles every sample of the next
    scrape. So the meter provider is not exposed.
    """

    def __init__(
        self,
        tracer: Tracer,
        metrics: Metrics,
        *,
        registry: CollectorRegistry | None = None,
        tracers: TracerProvider | None = None,
        meters: MeterProvider | None = None,
    ) -> None:
        self.tracer = tracer
        self.metrics = metrics
        self._registry = registry
        self._tracers = tracers
        self._meters = meters

    @classmethod
    def of_service(
        cls, service: str, settings: ShellSettings, *, span_processors: tuple[SpanProcessor, ...] = ()
    ) -> Self:
        """Telemetry by settings: spans go to the OTLP receiver where one is named, metrics wait to be scraped.

        Args:
            service: Value of `service.name`, after `cutline-`.
            settings: Where spans go and how many are kept.
            span_processors: Further receivers of spans.
        """
        resource = Resource.create(
            {
                Attribute.SERVICE_NAME: f"cutline-{service}",
                Attribute.SERVICE_VERSION: version("cutline"),
                Attribute.SERVICE_INSTANCE_ID: f"{socket.gethostname()}-{os.getpid()}",
            }
        )
        tracers = TracerProvider(
            resource=resource, sampler=ParentBasedTraceIdRatio(settings.trace_sample_ratio), shutdown_on_exit=False
        )
        if settings.otlp_endpoint:
            tracers.add_span_processor(_otlp(settings.otlp_endpoint))
        for processor in span_processors:
            tracers.add_span_processor(processor)
        registry = CollectorRegistry()
        meters = MeterProvider(
            resource=resource,
            metric_readers=[PrometheusMetricReader(registry=registry, scope_info_enabled=False)],
            # The text format of Prometheus has no place for exemplars, and choosing them costs on every measurement.
            exemplar_filter=AlwaysOffExemplarFilter(),
            shutdown_on_exit=False,
        )
        return cls(
            tracers.get_tracer(SCOPE),
            Metrics.of(meters.get_meter(SCOPE)),
            registry=registry,
            tracers=tracers,
            meters=meters,
        )

    @classmethod
    def silent(cls) -> Self:
        """Telemetry that records nothing."""
        return cls(NoOpTracerProvider().get_tracer(SCOPE), Metrics.silent())

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return b"" if self._registry is None else generate_latest(self._registry)

    async def start(self) -> None:
        """Nothing to do: providers work from the beginning, so that the start itself can be traced."""

    async def stop(self) -> None:
        """Sends the spans that wait and closes the providers."""
        tracers, self._tracers = self._tracers, None
        meters, self._meters = self._meters, None
        if tracers is not None:
            await asyncio.to_thread(tracers.shutdown)
        if meters is not None:
            await asyncio.to_thread(meters.shutdown)


def _otlp(endpoint: str) -> SpanProcessor:
    # Imported where it is used: the exporter brings half a second of imports that most processes never need.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    exporter = OTLPSpanExporter(
        endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_TIMEOUT_MS / 1000
    )
    return BatchSpanProcessor(exporter, export_timeout_millis=EXPORT_TIMEOUT_MS)

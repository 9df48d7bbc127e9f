"""Spans of steps that were measured elsewhere, in a child process that has no tracer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute, Span


@dataclass(frozen=True, slots=True)
class StepTiming:
    """When a step ran, in nanoseconds since the Unix epoch (`time.time_ns()`); picklable.

    Attributes:
        name: Name of the step.
        start_time_ns: Begin.
        end_time_ns: End.
        attributes: Facts about the step.
        error_type: Name of what it raised; empty when it succeeded.
    """

    name: str
    start_time_ns: int
    end_time_ns: int
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    error_type: str = ""


def record_steps(
    tracer: Tracer, timings: Iterable[StepTiming], *, metrics: Metrics | None = None, parent: Context | None = None
) -> None:
    """Records each step as a finished span and in the step histogram.

    Args:
        tracer: Makes the spans.
        timings: What was measured.
        metrics: Instruments, where the durations shall be counted too.
        parent: Context of the spans' parent; the current one by default.
    """
    for timing in timings:
        attributes = {Attribute.STEP.value: timing.name, **timing.attributes}
        if timing.error_type:
            attributes[Attribute.ERROR_TYPE] = timing.error_type
        span = tracer.start_span(
            Span.STEP.format(step=timing.name),
            context=parent,
            kind=SpanKind.INTERNAL,
            attributes=attributes,
            start_time=timing.start_time_ns,
        )
        if timing.error_type:
            span.set_status(Status(StatusCode.ERROR))
        span.end(timing.end_time_ns)
        if metrics is not None:
            took_s = (timing.end_time_ns - timing.start_time_ns) / 1e9
            metrics.step_duration_s.record(took_s, {Attribute.STEP.value: timing.name})

"""W3C trace context through message headers and through a stored column.

`traceparent` is the whole of what travels; `tracestate` belongs to vendors and is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"

_PROPAGATOR = TraceContextTextMapPropagator()


def traceparent_of(span: trace.Span) -> str:
    """The span as a `traceparent`, for a header or a column; empty when it has no identity."""
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"


def traceparent_of_current() -> str:
    """The current span as a `traceparent`; empty when there is none."""
    return traceparent_of(trace.get_current_span())


def context_from(traceparent: str | None) -> Context:
    """A context whose parent is the span of a `traceparent`; an empty context when it is absent or malformed."""
    if not traceparent:
        return Context()
    return _PROPAGATOR.extract({TRACEPARENT: traceparent}, Context())


def link_to(traceparent: str | None) -> list[trace.Link]:
    """Links for a span that continues a trace without being its child; none when there is nothing to link to."""
    context = trace.get_current_span(context_from(traceparent)).get_span_context()
    return [trace.Link(context)] if context.is_valid else []


def inject(headers: MutableMapping[str, str]) -> None:
    """Writes the current span into message headers."""
    if traceparent := traceparent_of_current():
        headers[TRACEPARENT] = traceparent


def extract(headers: Mapping[str, str] | None) -> Context:
    """The context that message headers carry; an empty context when they carry none."""
    return context_from((headers or {}).get(TRACEPARENT))

"""W3C trace context through message headers and through a stored column.

`traceparent` is the whole of what travels; `tracestate` belongs to vendors and is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

TRACEPARENT: Final = "traceparent"

# Version 00 has four fields; a later version may append more, which are skipped (W3C Trace Context, section 3.2.2).
_FORMAT: Final = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def traceparent_of(span: trace.Span) -> str:
    """The span as a `traceparent`, for a header or a column; empty when it has no identity."""
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def traceparent_of_current() -> str:
    """The current span as a `traceparent`; empty when there is none."""
    return traceparent_of(trace.get_current_span())


def context_from(traceparent: str | None) -> Context:
    """A context whose parent is the span of a `traceparent`; an empty context when it is absent or malformed."""
    remote = remote_span(traceparent)
    return Context() if remote is None else trace.set_span_in_context(NonRecordingSpan(remote), Context())


def remote_span(traceparent: str | None) -> SpanContext | None:
    """The identity of the span a `traceparent` names; None when it is absent or malformed."""
    match = _FORMAT.fullmatch(traceparent) if traceparent else None
    if match is None or (match[1] == "00" and match[5]):
        return None
    flags = TraceFlags(int(match[4], 16))
    found = SpanContext(int(match[2], 16), int(match[3], 16), is_remote=True, trace_flags=flags)
    return found if found.is_valid else None


def link_to(traceparent: str | None) -> list[trace.Link]:
    """Links for a span that continues a trace without being its child; none when there is nothing to link to."""
    remote = remote_span(traceparent)
    return [] if remote is None else [trace.Link(remote)]


def inject(headers: MutableMapping[str, str]) -> None:
    """Writes the current span into message headers."""
    if traceparent := traceparent_of_current():
        headers[TRACEPARENT] = traceparent


def extract(headers: Mapping[str, str] | None) -> Context:
    """The context that message headers carry; an empty context when they carry none."""
    return context_from((headers or {}).get(TRACEPARENT))

"""Trace context survives headers and columns, and nonsense in them is nobody's parent."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cutline.telemetry.propagation import (
    context_from,
    extract,
    inject,
    link_to,
    remote_span,
    traceparent_of_current,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
def test_a_message_carries_the_span_that_sent_it(sampler: Sampler) -> None:
    """A span begun from the headers is a child of the one that wrote them, sampled alike."""
    tracer = TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("t")
    headers: dict[str, str] = {}
    with tracer.start_as_current_span("send") as sent:
        inject(headers)
        assert headers == {"traceparent": traceparent_of_current()}
    parent = trace.get_current_span(extract(headers)).get_span_context()

    told = sent.get_span_context()
    assert (parent.trace_id, parent.span_id, parent.trace_flags) == (told.trace_id, told.span_id, told.trace_flags)
    assert parent.is_remote


def test_no_span_leaves_no_header() -> None:
    """Outside of any span nothing is written, and nothing is read from nothing."""
    headers: dict[str, str] = {}
    inject(headers)

    assert headers == {}
    assert traceparent_of_current() == ""
    assert extract(None) == extract({}) == context_from("") == Context()
    assert link_to(None) == []


@pytest.mark.parametrize(
    "traceparent",
    [
        f"00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-00",
        f"00-{TRACE}-{SPAN}-03",
        f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
        f"00-{TRACE}-{SPAN}-01-extra",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        "nonsense",
    ],
)
def test_parsing_agrees_with_opentelemetry(traceparent: str) -> None:
    """Every header is taken or refused as OpenTelemetry's own propagator does."""
    theirs = trace.get_current_span(
        TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    ).get_span_context()
    ours = remote_span(traceparent)

    assert (ours is None) == (not theirs.is_valid)
    if ours is not None:
        assert ours == theirs


def test_a_link_names_the_span() -> None:
    """A span that continues work links to the one that asked for it."""
    (link,) = link_to(f"00-{TRACE}-{SPAN}-01")

    assert f"{link.context.trace_id:032x}" == TRACE

"""What an operator sees of one design: a trace, metrics and logs."""

from __future__ import annotations

import json
import secrets

import httpx
from opentelemetry import context, trace

from cutline.client import AsyncClient
from cutline.embedded.stack import EmbeddedStack
from tests.e2e.test_main_job import PATIENCE_S, artwork
from tests.support.polling import eventually
from tests.support.span_collector import SpanCollector

STEPS = {"decode", "cutout", "outline", "cut_line", "readiness", "print_pdf", "report_json"}


async def test_one_trace_leads_from_the_client_through_every_service(
    client: AsyncClient, span_collector: SpanCollector
) -> None:
    """A sampled caller's trace id is on spans of ingest, imaging with its steps, mockup and status."""
    trace_id = secrets.randbits(128)
    caller = trace.NonRecordingSpan(
        trace.SpanContext(trace_id, secrets.randbits(64), is_remote=False, trace_flags=trace.TraceFlags(1))
    )
    token = context.attach(trace.set_span_in_context(caller))
    try:
        design = await client.designs.submit(artwork("#006d77"), width_mm=50)
        await design.wait(timeout_s=PATIENCE_S)
        await design.refresh()
    finally:
        context.detach(token)
    hexadecimal = f"{trace_id:032x}"

    def services() -> set[str]:
        return {span.service for span in span_collector.of_trace(hexadecimal)}

    wanted = {"ingest", "imaging", "mockup", "status"}
    assert await eventually(lambda: wanted <= {name.removeprefix("cutline-") for name in services()}), services()

    def consumers_without_producer() -> list[str]:
        spans = span_collector.of_trace(hexadecimal)
        ids = {span.span_id for span in spans}
        return [
            f"{span.service} {span.name}"
            for span in spans
            if span.name.startswith("process") and span.parent_id not in ids
        ]

    assert await eventually(lambda: not consumers_without_producer()), consumers_without_producer()
    spans = span_collector.of_trace(hexadecimal)
    in_imaging = [span for span in spans if span.service.endswith("imaging")]
    assert {step for step in STEPS if any(span.name.endswith(step) for span in in_imaging)} == STEPS


async def test_every_service_exposes_metrics_and_tells_whether_it_is_ready(stack: EmbeddedStack) -> None:
    """Each answers /readyz with 200 and /metrics with its own figures."""
    async with httpx.AsyncClient() as http:
        for name, service in stack.services.items():
            ready = await http.get(f"{service.http_url}/readyz")
            metrics = await http.get(f"{service.http_url}/metrics")
            assert ready.status_code == httpx.codes.OK, name
            assert "cutline_" in metrics.text, name


async def test_log_lines_are_json_with_the_design_and_its_trace(client: AsyncClient, stack: EmbeddedStack) -> None:
    """The imaging worker's line about a design names the design, the job and the trace."""
    design = await client.designs.submit(artwork("#bc6c25"), width_mm=50)
    await design.wait(timeout_s=PATIENCE_S)
    log = stack.servers.instance.log_path("imaging")

    def lines() -> list[dict[str, object]]:
        read = (line for line in log.read_text("utf-8").splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, read) if line.get("design_id") == design.id]

    assert await eventually(lambda: bool(lines()))
    assert all(line["job_id"] and line["trace_id"] for line in lines())

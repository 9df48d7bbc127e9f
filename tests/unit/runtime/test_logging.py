"""Every line of a log is one JSON object that knows its service, its trace and its job."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan

from cutline.runtime.logging import configure_logging, get_logger, log_facts
from cutline.runtime.settings import LogLevel
from cutline.telemetry.propagation import remote_span


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; what pytest had set up comes back afterwards."""
    root = logging.getLogger()
    handlers, level, out = root.handlers[:], root.level, io.StringIO()
    configure_logging("ingest", LogLevel.INFO, stream=out)
    yield out
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_facts_ids_and_trace(stream: io.StringIO) -> None:
    """Keywords, bound facts and the current span's ids stand in the line; they are gone outside."""
    span = remote_span("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert span is not None
    log = get_logger("cutline.test")
    with log_facts(design_id="d1", job_id="j1"), trace.use_span(NonRecordingSpan(span)):
        log.info("job.done", took_s=0.5)
    log.info("job.after")

    inside, outside = _lines(stream)
    assert inside.pop("time")
    assert inside == {
        "event": "job.done",
        "level": "info",
        "module": "cutline.test",
        "service": "ingest",
        "design_id": "d1",
        "job_id": "j1",
        "took_s": 0.5,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
    }
    assert {"design_id", "trace_id"}.isdisjoint(outside)


def test_the_standard_library_is_routed_too(stream: io.StringIO) -> None:
    """A library's own logging gives the same kind of line."""
    with log_facts(job_id="j1"):
        logging.getLogger("asyncpg").warning("lost %s", "it")

    (line,) = _lines(stream)
    assert line.pop("time")
    assert line == {"event": "lost it", "level": "warning", "module": "asyncpg", "service": "ingest", "job_id": "j1"}


def test_levels_and_exceptions(stream: io.StringIO) -> None:
    """Lines below the level are dropped, and a stack stays within its line."""
    log = get_logger("cutline.test")
    log.debug("not.shown")
    logging.getLogger("other").debug("not shown")
    log.error("it.failed", exc_info=ValueError("why"))

    (line,) = _lines(stream)
    assert line["level"] == "error"
    assert line["exception"] == "ValueError: why"


def test_a_pool_that_tries_again_is_not_told_at_every_try(stream: io.StringIO) -> None:
    """Of a database that is away the pool's own warnings are left out; what it cannot mend is told."""
    pool = logging.getLogger("asyncpg.pool")
    pool.warning("Failed to restore the pool connection floor; retrying")
    pool.error("lost")

    assert [line["event"] for line in _lines(stream)] == ["lost"]

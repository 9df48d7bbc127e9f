"""JSON lines on standard output, each with the trace and the ids of the work it belongs to."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import AbstractContextManager
from typing import TextIO, cast

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from cutline.runtime.environment import SettingsError
from cutline.runtime.settings import LogLevel

# Libraries that say on INFO what only their authors want to know.
_NOISY = ("aiobotocore", "botocore", "boto3", "aiohttp.access", "asyncio", "grpc")
# The pool warns, with a traceback at every try, of a database that is away: callers and readiness say so once.
_REPETITIVE = ("asyncpg.pool",)


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger for a module: `log.info("job.done", took_s=1.2)`, a dotted event and facts by keyword."""
    return cast("FilteringBoundLogger", structlog.get_logger(module=name))


def log_problems(error: SettingsError) -> None:
    """Writes a line for each variable that cannot be used, without a traceback: it is a setting, not a bug."""
    for problem in error.problems:
        get_logger(__name__).error("settings.problem", problem=problem)


def log_facts(**facts: str) -> AbstractContextManager[None]:
    """Adds facts (design_id, job_id, request_id ...) to every line logged inside, through contextvars."""
    return structlog.contextvars.bound_contextvars(**facts)


def configure_logging(service: str, level: LogLevel = LogLevel.INFO, *, stream: TextIO | None = None) -> None:
    """Routes structlog and the standard library's logging to one stream of JSON lines.

    Args:
        service: Name written into each line.
        level: Least severe line that is written.
        stream: Where to; standard output by default.
    """
    out = stream or sys.stdout
    threshold = logging.getLevelNamesMapping()[level.upper()]

    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_service,
        add_trace,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_to_json)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _add_module, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_to_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    for name in _REPETITIVE:
        logging.getLogger(name).setLevel(max(threshold, logging.ERROR))


def add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Adds trace_id and span_id of the current span, where there is one."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def _add_module(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["module"] = record.name
    return event


def _to_json(event: EventDict, **_options: object) -> str:
    return json.dumps(event, default=repr, ensure_ascii=False)

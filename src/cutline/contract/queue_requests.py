"""Reads the requests of QueueService: every field within its limits, the one at fault named with its limit."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from cutline.contract.fields import read_time, refuse
from cutline.contract.specs import enum_from_wire
from cutline.domain.ids import parse_request_id
from cutline.domain.principal import TENANT_PATTERN, Principal
from cutline.domain.states import LANES_BY_URGENCY, JobState, Lane, Stage
from cutline.store.queue_actions import QueueCall
from cutline.store.queue_reads import DeadLetterFilter, JobFilter
from cutline.v1 import design_pb2, job_pb2
from cutline.v1 import queue_service_pb2 as pb

MAX_STATES: Final = 32
DEFAULT_INTERVAL_S: Final = 1.0
SHORTEST_INTERVAL_S: Final = 1.0
LONGEST_INTERVAL_S: Final = 60.0
LONGEST_PAUSE: Final = timedelta(days=30)

_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_NANOS: Final = 1_000_000_000


def read_job_filter(request: pb.ListJobsRequest) -> JobFilter:
    """The conditions of a list of jobs.

    Raises:
        InvalidInputError: One of them can match nothing.
    """
    if len(request.states) > MAX_STATES:
        refuse("states", f"{len(request.states)} entries are more than {MAX_STATES}", "OUT_OF_RANGE")
    states = [enum_from_wire(JobState, job_pb2.Job.State, "STATE_", number, "states") for number in request.states]
    if None in states:
        refuse("states", "STATE_UNSPECIFIED is no state")
    return JobFilter(
        tenant=_tenant(request.tenant, "tenant"),
        design_id=_uuid(request.design_id, "design_id"),
        stage=_stage(request.stage, "stage"),
        lane=_lane(request.lane),
        states=tuple(sorted({state for state in states if state})),
    )


def read_dead_letter_filter(message: pb.DeadLetterFilter) -> DeadLetterFilter:
    """The conditions that tell dead letters apart.

    Raises:
        InvalidInputError: One of them can match nothing.
    """
    if message.reason and not _REASON.fullmatch(message.reason):
        refuse("filter.reason", f"{message.reason[:70]!r} is not UPPER_SNAKE of 1 to 63 characters")
    before = None
    if message.HasField("create_time_before"):
        before = read_time(message.create_time_before, "filter.create_time_before")
    return DeadLetterFilter(
        dead_letter_id=_uuid(message.dead_letter_id, "filter.dead_letter_id"),
        tenant=_tenant(message.tenant, "filter.tenant"),
        stage=_stage(message.stage, "filter.stage"),
        reason=message.reason,
        create_time_before=before,
    )


def read_bulk_filter(request: pb.RedriveDeadLettersRequest | pb.DiscardDeadLettersRequest) -> DeadLetterFilter:
    """The dead letters to deal with.

    Raises:
        InvalidInputError: A condition can match nothing, or there is none and `all` is not set.
    """
    wanted = read_dead_letter_filter(request.filter)
    if wanted.empty and not request.all:
        refuse("filter", "is empty; set `all` to mean every dead letter", "REQUIRED")
    return wanted


def read_queue_call(
    principal: Principal, method: str, request: pb.RedriveDeadLettersRequest | pb.DiscardDeadLettersRequest
) -> QueueCall:
    """Which call this is: who asks, under which id, for what.

    Raises:
        InvalidInputError: `request_id` is not a UUID.
    """
    body: Any = type(request)()
    body.CopyFrom(request)
    body.ClearField("request_id")
    body.DiscardUnknownFields()
    text = body.SerializeToString(deterministic=True)
    return QueueCall(
        tenant=principal.tenant,
        subject=principal.subject,
        request_id=parse_request_id(request.request_id) or uuid4(),
        method=method,
        body_sha256=hashlib.sha256(method.encode() + b"\0" + text).digest(),
        conditions=_facts(read_dead_letter_filter(request.filter)),
    )


def read_interval_s(request: pb.WatchStatsRequest) -> float:
    """Time between two messages of a watch.

    Raises:
        InvalidInputError: It lies outside its limits.
    """
    if not request.HasField("interval"):
        return DEFAULT_INTERVAL_S
    interval_s = request.interval.seconds + request.interval.nanos / _NANOS
    if not SHORTEST_INTERVAL_S <= interval_s <= LONGEST_INTERVAL_S:
        limits = f"{SHORTEST_INTERVAL_S:g} s to {LONGEST_INTERVAL_S:g} s"
        refuse("interval", f"{interval_s:g} s is not {limits}", "OUT_OF_RANGE")
    return interval_s


def read_queue(request: pb.PauseQueueRequest | pb.ResumeQueueRequest) -> tuple[Stage, tuple[Lane, ...]]:
    """The stage and the lanes to pause or resume: all where none is named.

    Raises:
        InvalidInputError: The stage is not set, or one of them is unknown.
    """
    stage, lane = _stage(request.stage, "stage"), _lane(request.lane)
    if stage is None:
        refuse("stage", "is required", "REQUIRED")
    return stage, (lane,) if lane else LANES_BY_URGENCY


def read_pause_until(request: pb.PauseQueueRequest, *, now: datetime) -> datetime:
    """When the pause ends by itself.

    Raises:
        InvalidInputError: It is not set, has passed, or lies too far ahead.
    """
    field = "pause_until_time"
    if not request.HasField("pause_until_time"):
        refuse(field, "is required", "REQUIRED")
    until = read_time(request.pause_until_time, field)
    if until <= now:
        refuse(field, f"{until.isoformat()} has passed", "OUT_OF_RANGE")
    if until > now + LONGEST_PAUSE:
        refuse(field, f"{until.isoformat()} is more than {LONGEST_PAUSE.days} days ahead", "OUT_OF_RANGE")
    return until


def _facts(wanted: DeadLetterFilter) -> dict[str, str]:
    values = {name: getattr(wanted, name) for name in DeadLetterFilter.__dataclass_fields__}
    return {name: str(value) for name, value in values.items() if value}


def _stage(number: int, field: str) -> Stage | None:
    return enum_from_wire(Stage, design_pb2.Stage, "STAGE_", number, field)


def _lane(number: int) -> Lane | None:
    return enum_from_wire(Lane, job_pb2.Lane, "LANE_", number, "lane")


def _tenant(text: str, field: str) -> str:
    if text and not TENANT_PATTERN.fullmatch(text):
        refuse(field, f"{text[:70]!r} does not match {TENANT_PATTERN.pattern}")
    return text


def _uuid(text: str, field: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        refuse(field, f"{text[:40]!r} is not a UUID")

"""What QueueService refuses before it looks at anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from cutline.contract.fields import read_page_size
from cutline.contract.queue_requests import (
    read_bulk_filter,
    read_dead_letter_filter,
    read_interval_s,
    read_job_filter,
    read_pause_until,
    read_queue,
    read_queue_call,
)
from cutline.domain.errors import InvalidInputError
from cutline.domain.principal import Principal
from cutline.domain.states import JobState, Lane, Stage
from cutline.store.queue_reads import DeadLetterFilter, JobFilter
from cutline.v1 import queue_service_pb2

pb: Any = queue_service_pb2
"""Untyped, so that enums can be written as the numbers they are on the wire."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)
OPERATOR = Principal("acme", "key-1", frozenset())


def at(span: timedelta) -> Timestamp:
    """A time so long after NOW."""
    stamp = Timestamp()
    stamp.FromDatetime(NOW + span)
    return stamp


def pause_until(request: queue_service_pb2.PauseQueueRequest) -> datetime:
    """When the pause of a request made NOW ends."""
    return read_pause_until(request, now=NOW)


def letters(**conditions: Any) -> queue_service_pb2.DeadLetterFilter:
    """Conditions on the wire."""
    return queue_service_pb2.DeadLetterFilter(**conditions)


@pytest.mark.parametrize(
    ("read", "request_", "field"),
    [
        (read_page_size, -1, "page_size"),
        (read_job_filter, pb.ListJobsRequest(tenant="Robert'); DROP TABLE jobs;--"), "tenant"),
        (read_job_filter, pb.ListJobsRequest(tenant="a\0b"), "tenant"),
        (read_job_filter, pb.ListJobsRequest(tenant="a" * 64), "tenant"),
        (read_job_filter, pb.ListJobsRequest(design_id="d"), "design_id"),
        (read_job_filter, pb.ListJobsRequest(stage=9), "stage"),
        (read_job_filter, pb.ListJobsRequest(lane=-1), "lane"),
        (read_job_filter, pb.ListJobsRequest(states=[0]), "states"),
        (read_job_filter, pb.ListJobsRequest(states=[77]), "states"),
        (read_job_filter, pb.ListJobsRequest(states=[1] * 33), "states"),
        (read_dead_letter_filter, letters(reason="no"), "filter.reason"),
        (read_dead_letter_filter, letters(reason="A" * 64), "filter.reason"),
        (read_dead_letter_filter, letters(reason="A\n"), "filter.reason"),
        (read_dead_letter_filter, letters(tenant="%"), "filter.tenant"),
        (read_dead_letter_filter, letters(stage=3), "filter.stage"),
        (read_dead_letter_filter, letters(dead_letter_id="x"), "filter.dead_letter_id"),
        (read_dead_letter_filter, letters(create_time_before=Timestamp(seconds=2**60)), "filter.create_time_before"),
        (read_bulk_filter, pb.RedriveDeadLettersRequest(), "filter"),
        (read_bulk_filter, pb.DiscardDeadLettersRequest(filter=letters()), "filter"),
        (read_bulk_filter, pb.DiscardDeadLettersRequest(filter=letters(tenant="T"), all=True), "filter.tenant"),
        (read_queue, pb.PauseQueueRequest(), "stage"),
        (read_queue, pb.ResumeQueueRequest(stage=7), "stage"),
        (read_queue, pb.PauseQueueRequest(stage=1, lane=4), "lane"),
        (pause_until, pb.PauseQueueRequest(), "pause_until_time"),
        (pause_until, pb.PauseQueueRequest(pause_until_time=at(timedelta(0))), "pause_until_time"),
        (pause_until, pb.PauseQueueRequest(pause_until_time=at(timedelta(days=30, seconds=1))), "pause_until_time"),
        (pause_until, pb.PauseQueueRequest(pause_until_time=Timestamp(seconds=2**60)), "pause_until_time"),
        (read_interval_s, pb.WatchStatsRequest(interval=Duration()), "interval"),
        (read_interval_s, pb.WatchStatsRequest(interval=Duration(nanos=999_999_999)), "interval"),
        (read_interval_s, pb.WatchStatsRequest(interval=Duration(seconds=60, nanos=1)), "interval"),
        (read_interval_s, pb.WatchStatsRequest(interval=Duration(seconds=-1)), "interval"),
    ],
)
def test_a_field_outside_its_limits_is_named(read: Callable[[Any], Any], request_: Any, field: str) -> None:
    """Whatever cannot be meant is refused with the path of the field at fault."""
    with pytest.raises(InvalidInputError) as refused:
        read(request_)
    assert [violation.field for violation in refused.value.violations] == [field]


def test_what_is_not_set_does_not_filter() -> None:
    """Empty requests mean everything, a page of fifty, each second; for a change of many, `all` has to say so."""
    assert read_job_filter(pb.ListJobsRequest()) == JobFilter()
    assert read_dead_letter_filter(letters()).empty
    assert read_bulk_filter(pb.RedriveDeadLettersRequest(all=True)) == DeadLetterFilter()
    assert (read_page_size(0), read_page_size(501)) == (50, 500)
    assert read_interval_s(pb.WatchStatsRequest()) == 1.0


def test_what_is_set_is_read() -> None:
    """Every condition arrives as the domain's own value."""
    one = uuid4()
    wire = pb.ListJobsRequest(tenant="acme", design_id=str(one), stage=2, lane=3, states=[5, 4, 5])
    assert read_job_filter(wire) == JobFilter("acme", one, Stage.MOCKUP, Lane.BULK, (JobState.DEAD, JobState.SUCCEEDED))
    given = letters(dead_letter_id=str(one), tenant="acme", stage=1, reason="A_1", create_time_before=at(timedelta(0)))
    assert read_dead_letter_filter(given) == DeadLetterFilter(one, "acme", Stage.IMAGING, "A_1", NOW)
    assert read_queue(pb.ResumeQueueRequest(stage=1)) == (Stage.IMAGING, tuple(Lane))
    assert pause_until(pb.PauseQueueRequest(pause_until_time=at(timedelta(days=30)))) == NOW + timedelta(days=30)


def test_a_call_is_told_apart_by_what_it_asks() -> None:
    """The digest covers method and conditions, and not the id; the conditions are kept in words."""
    request = pb.RedriveDeadLettersRequest(filter=letters(tenant="acme"), request_id=str(uuid4()))
    call = read_queue_call(OPERATOR, "RedriveDeadLetters", request)
    again = pb.RedriveDeadLettersRequest(filter=letters(tenant="acme"), request_id=str(uuid4()))
    other = pb.RedriveDeadLettersRequest(filter=letters(tenant="acme"), all=True)

    assert (call.subject, str(call.request_id), call.conditions) == ("key-1", request.request_id, {"tenant": "acme"})
    assert read_queue_call(OPERATOR, "RedriveDeadLetters", again).body_sha256 == call.body_sha256
    assert read_queue_call(OPERATOR, "RedriveDeadLetters", other).body_sha256 != call.body_sha256
    assert read_queue_call(OPERATOR, "Else", again).body_sha256 != call.body_sha256

"""What is sent to the queues' service, built from arguments: no I/O, the same for both clients."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import uuid4

from cutline.v1 import design_pb2, job_pb2
from cutline.v1 import queue_service_pb2 as pb

BULK_TRIES: Final = 60
"""Calls after which a redrive or discard of very many is given up; each goes on where the last one ended."""


def list_jobs(
    *, tenant: str, design_id: str, stage: str, lane: str, states: Iterable[str], page_size: int
) -> pb.ListJobsRequest:
    """Asks for the first page of a list of jobs.

    Raises:
        ValueError: There is no stage, lane or state of such a name.
    """
    return pb.ListJobsRequest(
        page_size=page_size,
        tenant=tenant,
        design_id=design_id,
        stage=_stage(stage),
        lane=_lane(lane),
        states=[job_pb2.Job.State.Value(f"STATE_{state}") for state in states],
    )


def redrive(wanted: pb.DeadLetterFilter | None, *, everything: bool, request_id: str) -> pb.RedriveDeadLettersRequest:
    """Asks to run dead jobs again."""
    return pb.RedriveDeadLettersRequest(filter=wanted, all=everything, request_id=request_id or str(uuid4()))


def discard(wanted: pb.DeadLetterFilter | None, *, everything: bool, request_id: str) -> pb.DiscardDeadLettersRequest:
    """Asks to drop dead letters for good."""
    return pb.DiscardDeadLettersRequest(filter=wanted, all=everything, request_id=request_id or str(uuid4()))


def pause(stage: str, lane: str, until: datetime) -> pb.PauseQueueRequest:
    """Asks to stop handing out a stage's work.

    Raises:
        ValueError: There is no stage or lane of such a name.
    """
    request = pb.PauseQueueRequest(stage=_stage(stage), lane=_lane(lane))
    request.pause_until_time.FromDatetime(until)
    return request


def resume(stage: str, lane: str) -> pb.ResumeQueueRequest:
    """Asks to end a pause.

    Raises:
        ValueError: There is no stage or lane of such a name.
    """
    return pb.ResumeQueueRequest(stage=_stage(stage), lane=_lane(lane))


def dead_letter_filter(
    *,
    dead_letter_id: str = "",
    tenant: str = "",
    stage: str = "",
    reason: str = "",
    create_time_before: datetime | None = None,
) -> pb.DeadLetterFilter:
    """Conditions of dead letters, which must all hold; what is empty does not filter.

    Args:
        dead_letter_id: Only this one.
        tenant: Only this tenant's.
        stage: Only this stage's, by name, such as imaging.
        reason: Only with this reason, such as WORKER_CRASHED.
        create_time_before: Only given up before this time.

    Raises:
        ValueError: There is no stage of such a name.
    """
    wanted = pb.DeadLetterFilter(dead_letter_id=dead_letter_id, tenant=tenant, stage=_stage(stage), reason=reason)
    if create_time_before is not None:
        wanted.create_time_before.FromDatetime(create_time_before)
    return wanted


def _stage(name: str) -> design_pb2.Stage.ValueType:
    return design_pb2.Stage.Value(f"STAGE_{name.upper() or 'UNSPECIFIED'}")


def _lane(name: str) -> job_pb2.Lane.ValueType:
    return job_pb2.Lane.Value(f"LANE_{name.upper() or 'UNSPECIFIED'}")

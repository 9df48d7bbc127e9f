"""QueueService on the wire: requests in, counts and dead letters of every tenant out.

What changes something is logged with who asked, for what, and how many it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cutline.contract.designs import timestamp
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
from cutline.contract.queues import dead_letter_to_wire, job_to_wire, stats_to_wire
from cutline.contract.tokens import decode_queue_page_token, encode_queue_page_token
from cutline.domain.errors import NotFoundError, Reason, UnavailableError
from cutline.domain.ids import parse_id
from cutline.messaging.consumers import Consumers
from cutline.rpc.call import current_call, current_principal
from cutline.runtime.logging import get_logger
from cutline.store.pool import Database
from cutline.store.queue_actions import ActionState, QueueCall
from cutline.store.queue_reads import list_jobs, read_job
from cutline.v1 import job_pb2
from cutline.v1 import queue_service_pb2 as pb
from cutline.v1.queue_service_pb2_grpc import QueueServiceServicer
from services.ingest.queue_dead_letters import DeadLetters
from services.ingest.queue_discard import Discard
from services.ingest.queue_redrive import Redrive
from services.ingest.queue_stats import QueueReading, QueueStats

log = get_logger(__name__)

QUEUE_SERVICE: Final = "cutline.v1.QueueService"


@dataclass(frozen=True, slots=True)
class QueueDuties:
    """What serves the calls."""

    database: Database
    consumers: Consumers
    stats: QueueStats
    dead_letters: DeadLetters
    redrive: Redrive
    discard: Discard


class QueueServicer(QueueServiceServicer):
    """Answers operators, for all tenants alike."""

    def __init__(self, duties: QueueDuties) -> None:
        self._duties = duties

    async def GetStats(self, _request: pb.GetStatsRequest, _context: Any) -> pb.Stats:  # noqa: N802  (the contract's name)
        """Returns the counts of every stage and lane."""
        return _stats(await self._duties.stats.read())

    async def WatchStats(  # noqa: N802  (as above)
        self, request: pb.WatchStatsRequest, _context: Any
    ) -> AsyncGenerator[pb.Stats, None]:
        """Sends the counts now and then at the interval asked for."""
        async with aclosing(self._duties.stats.watch(read_interval_s(request))) as readings:
            async for reading in readings:
                yield _stats(reading)

    async def ListJobs(self, request: pb.ListJobsRequest, _context: Any) -> pb.ListJobsResponse:  # noqa: N802  (as above)
        """Returns a page of jobs, newest first."""
        wanted, size = read_job_filter(request), read_page_size(request.page_size)
        before = decode_queue_page_token(request.page_token, conditions=wanted)
        rows = await list_jobs(self._duties.database, wanted, before=before, limit=size + 1)
        page = pb.ListJobsResponse(jobs=[job_to_wire(row) for row in rows[:size]])
        if len(rows) > size:
            page.next_page_token = encode_queue_page_token(rows[size - 1].job_id, conditions=wanted)
        return page

    async def GetJob(self, request: pb.GetJobRequest, _context: Any) -> job_pb2.Job:  # noqa: N802  (as above)
        """Returns a job with its attempts."""
        job_id = parse_id(request.job_id, kind="job", reason=Reason.JOB_NOT_FOUND)
        found = await read_job(self._duties.database, job_id)
        if found is None:
            raise NotFoundError(Reason.JOB_NOT_FOUND, f"There is no job {job_id}.", metadata={"job_id": str(job_id)})
        return job_to_wire(*found)

    async def ListDeadLetters(  # noqa: N802  (as above)
        self, request: pb.ListDeadLettersRequest, _context: Any
    ) -> pb.ListDeadLettersResponse:
        """Returns a page of dead letters, newest first."""
        wanted, size = read_dead_letter_filter(request.filter), read_page_size(request.page_size)
        before = decode_queue_page_token(request.page_token, conditions=wanted)
        found = await self._duties.dead_letters.page(wanted, before=before, size=size)
        page = pb.ListDeadLettersResponse(
            dead_letters=[dead_letter_to_wire(letter) for letter in found.letters],
            count_by_reason=found.count_by_reason,
        )
        if found.more:
            page.next_page_token = encode_queue_page_token(found.letters[-1].dead_letter_id, conditions=wanted)
        return page

    async def RedriveDeadLetters(  # noqa: N802  (as above)
        self, request: pb.RedriveDeadLettersRequest, _context: Any
    ) -> pb.RedriveDeadLettersResponse:
        """Runs dead jobs again."""
        wanted = read_bulk_filter(request)
        call = read_queue_call(current_principal(), "RedriveDeadLetters", request)
        state = await _audited(call, self._duties.redrive.run(call, wanted))
        return pb.RedriveDeadLettersResponse(redriven_count=state.done, skipped_count=state.skipped)

    async def DiscardDeadLetters(  # noqa: N802  (as above)
        self, request: pb.DiscardDeadLettersRequest, _context: Any
    ) -> pb.DiscardDeadLettersResponse:
        """Drops dead letters for good."""
        wanted = read_bulk_filter(request)
        call = read_queue_call(current_principal(), "DiscardDeadLetters", request)
        state = await _audited(call, self._duties.discard.run(call, wanted))
        return pb.DiscardDeadLettersResponse(discarded_count=state.done)

    async def PauseQueue(self, request: pb.PauseQueueRequest, _context: Any) -> pb.PauseQueueResponse:  # noqa: N802  (as above)
        """Stops handing out a stage's work until a time."""
        stage, lanes = read_queue(request)
        until = read_pause_until(request, now=datetime.now(UTC))
        await self._duties.consumers.pause(stage, lanes, until)
        _audit(stage=stage.value, lanes=[lane.value for lane in lanes], pause_until_time=until.isoformat())
        return pb.PauseQueueResponse(pause_until_time=timestamp(until))

    async def ResumeQueue(self, request: pb.ResumeQueueRequest, _context: Any) -> pb.ResumeQueueResponse:  # noqa: N802  (as above)
        """Ends a pause."""
        stage, lanes = read_queue(request)
        await self._duties.consumers.resume(stage, lanes)
        _audit(stage=stage.value, lanes=[lane.value for lane in lanes])
        return pb.ResumeQueueResponse()


def _stats(reading: QueueReading) -> pb.Stats:
    return stats_to_wire(reading.stored, reading.consumers)


async def _audited(call: QueueCall, work: Awaitable[ActionState]) -> ActionState:
    facts = {"action_request_id": str(call.request_id), "conditions": dict(call.conditions) or "all"}
    try:
        state = await work
    except (asyncio.CancelledError, UnavailableError):
        # Batches that were committed before stay; the action's row tells how many.
        _audit(**facts, cut_off=True)
        raise
    _audit(**facts, done=state.done, skipped=state.skipped)
    return state


def _audit(**facts: object) -> None:
    """One line for each change: who (tenant and key), what, how many."""
    call = current_call()
    log.info("queue.changed", method=call.method.rpartition("/")[2], subject=call.principal.subject, **facts)

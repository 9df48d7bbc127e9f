"""The queues, for operators: how much is under way, which jobs, what was given up, and what to do about it.

Every call needs a key with the scope `admin` and sees all tenants.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Final, TypeVar
from uuid import uuid4

from google.protobuf.duration_pb2 import Duration

from cutline.client.calls import Connection
from cutline.client.errors import DeadlineExceededError, UnavailableError
from cutline.client.watching import Patience
from cutline.v1 import design_pb2, job_pb2, queue_service_pb2_grpc
from cutline.v1 import queue_service_pb2 as pb

PATIENCE_S: Final = 60.0
BULK_TRIES: Final = 60
"""Calls after which a redrive or discard of very many is given up; each goes on where the last one ended."""

_Bulk = TypeVar("_Bulk", pb.RedriveDeadLettersResponse, pb.DiscardDeadLettersResponse)


class AsyncQueue:
    """The queues of every tenant.

    Args:
        ingest: Serves them.
    """

    def __init__(self, ingest: Connection) -> None:
        self._ingest = ingest
        self._stub: queue_service_pb2_grpc.QueueServiceAsyncStub = queue_service_pb2_grpc.QueueServiceStub(
            ingest.channel
        )

    async def stats(self) -> pb.Stats:
        """The counts of every stage and lane."""
        return await self._ingest.call(self._stub.GetStats, pb.GetStatsRequest(), pb.Stats)

    async def watch_stats(self, *, interval_s: float = 1.0) -> AsyncGenerator[pb.Stats, None]:
        """The counts now and then at each interval, for ever; goes on by itself after a broken connection.

        Args:
            interval_s: Time between two of them, 1 to 60.

        Raises:
            InvalidArgumentError: The interval lies outside its limits.
            UnavailableError: The service or its broker stayed away for a minute.
        """
        request = pb.WatchStatsRequest(interval=Duration())
        request.interval.FromNanoseconds(round(interval_s * 1e9))
        patience = Patience(PATIENCE_S)
        while True:
            try:
                async with aclosing(self._ingest.stream(self._stub.WatchStats, request, pb.Stats)) as readings:
                    async for reading in readings:
                        patience.rewarded()
                        yield reading
            except UnavailableError as error:
                await patience.pause(error)

    async def jobs(
        self,
        *,
        tenant: str = "",
        design_id: str = "",
        stage: str = "",
        lane: str = "",
        states: Iterable[str] = (),
        page_size: int = 0,
    ) -> AsyncGenerator[job_pb2.Job, None]:
        """Jobs, newest first and without attempts; further pages are fetched as they are needed.

        Args:
            tenant: Only this tenant's.
            design_id: Only this design's.
            stage: Only this stage's, by name, such as imaging.
            lane: Only this lane's, by name, such as bulk.
            states: Only these, by name, such as DEAD.
            page_size: Jobs fetched at once; 0 leaves it to the service.

        Raises:
            ValueError: There is no stage, lane or state of such a name.
        """
        request = pb.ListJobsRequest(
            page_size=page_size,
            tenant=tenant,
            design_id=design_id,
            stage=_stage(stage),
            lane=_lane(lane),
            states=[job_pb2.Job.State.Value(f"STATE_{state}") for state in states],
        )
        while True:
            page = await self._ingest.call(self._stub.ListJobs, request, pb.ListJobsResponse)
            for job in page.jobs:
                yield job
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def job(self, job_id: str) -> job_pb2.Job:
        """A job with its attempts.

        Raises:
            NotFoundError: There is none of that id.
        """
        return await self._ingest.call(self._stub.GetJob, pb.GetJobRequest(job_id=job_id), job_pb2.Job)

    async def dead_letters(
        self, wanted: pb.DeadLetterFilter | None = None, *, page_size: int = 0
    ) -> AsyncGenerator[job_pb2.DeadLetter, None]:
        """Open dead letters, newest first; further pages are fetched as they are needed.

        Args:
            wanted: Which, see `dead_letter_filter`; None means all.
            page_size: Dead letters fetched at once; 0 leaves it to the service.
        """
        request = pb.ListDeadLettersRequest(page_size=page_size, filter=wanted)
        while True:
            page = await self._ingest.call(self._stub.ListDeadLetters, request, pb.ListDeadLettersResponse)
            for letter in page.dead_letters:
                yield letter
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def count_dead_letters(self, wanted: pb.DeadLetterFilter | None = None) -> Mapping[str, int]:
        """How many open dead letters match, by reason."""
        request = pb.ListDeadLettersRequest(page_size=1, filter=wanted)
        page = await self._ingest.call(self._stub.ListDeadLetters, request, pb.ListDeadLettersResponse)
        return dict(page.count_by_reason)

    async def redrive(
        self, wanted: pb.DeadLetterFilter | None = None, *, everything: bool = False, request_id: str = ""
    ) -> pb.RedriveDeadLettersResponse:
        """Runs dead jobs again: one, or all that match and were given up before the call.

        Args:
            wanted: Which, see `dead_letter_filter`.
            everything: Confirms that no condition means every dead letter.
            request_id: UUID of this call, to repeat it safely after a crash; empty makes one.

        Raises:
            NotFoundError: One was named, and there is no such dead letter.
            PreconditionError: One was named, and a newer run has overtaken it.
            InvalidArgumentError: There is no condition, and `everything` is not set.
        """
        request = pb.RedriveDeadLettersRequest(filter=wanted, all=everything, request_id=request_id or str(uuid4()))
        return await self._to_the_end(request, pb.RedriveDeadLettersResponse)

    async def discard(
        self, wanted: pb.DeadLetterFilter | None = None, *, everything: bool = False, request_id: str = ""
    ) -> pb.DiscardDeadLettersResponse:
        """Drops dead letters for good; arguments and errors as `redrive`, but nothing is ever overtaken."""
        request = pb.DiscardDeadLettersRequest(filter=wanted, all=everything, request_id=request_id or str(uuid4()))
        return await self._to_the_end(request, pb.DiscardDeadLettersResponse)

    async def pause(self, stage: str, *, until: datetime, lane: str = "") -> datetime:
        """Stops handing out a stage's work until a time; what is running goes on.

        Args:
            stage: By name, such as imaging.
            until: When the pause ends by itself, at most 30 days ahead.
            lane: By name, such as bulk; empty means all lanes of the stage.

        Returns:
            When it ends.
        """
        request = pb.PauseQueueRequest(stage=_stage(stage), lane=_lane(lane))
        request.pause_until_time.FromDatetime(until)
        answer = await self._ingest.call(self._stub.PauseQueue, request, pb.PauseQueueResponse)
        return answer.pause_until_time.ToDatetime(until.tzinfo)

    async def resume(self, stage: str, *, lane: str = "") -> None:
        """Ends a pause; harmless where there is none."""
        request = pb.ResumeQueueRequest(stage=_stage(stage), lane=_lane(lane))
        await self._ingest.call(self._stub.ResumeQueue, request, pb.ResumeQueueResponse)

    async def _to_the_end(
        self, request: pb.RedriveDeadLettersRequest | pb.DiscardDeadLettersRequest, answer: type[_Bulk]
    ) -> _Bulk:
        """Repeats a call that takes longer than one deadline: with its request id it goes on where it was."""
        method = (
            self._stub.RedriveDeadLetters
            if isinstance(request, pb.RedriveDeadLettersRequest)
            else self._stub.DiscardDeadLetters
        )
        for _ in range(BULK_TRIES - 1):
            try:
                return await self._ingest.call(method, request, answer)
            except DeadlineExceededError:
                continue
        return await self._ingest.call(method, request, answer)


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

"""The queues, for threads; `async_queue` is its twin."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

import grpc

from cutline.client import queue_requests as requests
from cutline.client.connection import Connection
from cutline.client.errors import DeadlineExceededError
from cutline.client.watching import StatsWatch
from cutline.v1 import job_pb2, queue_service_pb2_grpc
from cutline.v1 import queue_service_pb2 as pb

_Bulk = TypeVar("_Bulk")
_Answer = TypeVar("_Answer")


class Queue:
    """The queues of every tenant, for operators: what is under way, what was given up, and what to do about it.

    Every call needs a credential with the scope `admin`.

    Args:
        admin: Serves them.
        patience_s: How long a watch asks a service that is away.
    """

    def __init__(self, admin: Connection, *, patience_s: float) -> None:
        self._admin = admin
        self._patience_s = patience_s
        self._stub: queue_service_pb2_grpc.QueueServiceStub = queue_service_pb2_grpc.QueueServiceStub(admin.channel)

    def stats(self) -> pb.Stats:
        """The counts of every stage and lane."""
        return self._admin.call(self._stub.GetStats, pb.GetStatsRequest())

    def watch_stats(self, *, interval_s: float = 1.0) -> Generator[pb.Stats, None, None]:
        """The counts now and then at each interval, for ever; goes on by itself after a broken connection.

        Args:
            interval_s: Time between two of them, 1 to 60.

        Raises:
            InvalidArgumentError: The interval lies outside its limits.
            UnavailableError: The service or its broker stayed away for `patience_s` of the client.
        """
        watch = StatsWatch(interval_s=interval_s, patience_s=self._patience_s)
        return self._admin.follow(self._stub.WatchStats, watch)

    def jobs(
        self,
        *,
        tenant: str = "",
        design_id: str = "",
        stage: str = "",
        lane: str = "",
        states: Iterable[str] = (),
        page_size: int = 0,
    ) -> Generator[job_pb2.Job, None, None]:
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
        request = requests.list_jobs(
            tenant=tenant, design_id=design_id, stage=stage, lane=lane, states=states, page_size=page_size
        )
        return self._admin.pages(self._stub.ListJobs, request, lambda page: page.jobs)

    def job(self, job_id: str) -> job_pb2.Job:
        """A job with its attempts.

        Raises:
            NotFoundError: There is none of that id.
        """
        return self._admin.call(self._stub.GetJob, pb.GetJobRequest(job_id=job_id))

    def dead_letters(
        self, wanted: pb.DeadLetterFilter | None = None, *, page_size: int = 0
    ) -> Generator[job_pb2.DeadLetter, None, None]:
        """Open dead letters, newest first; further pages are fetched as they are needed.

        Args:
            wanted: Which, see `dead_letter_filter`; None means all.
            page_size: Dead letters fetched at once; 0 leaves it to the service.
        """
        request = pb.ListDeadLettersRequest(page_size=page_size, filter=wanted)
        return self._admin.pages(self._stub.ListDeadLetters, request, lambda page: page.dead_letters)

    def count_dead_letters(self, wanted: pb.DeadLetterFilter | None = None) -> Mapping[str, int]:
        """How many open dead letters match, by reason."""
        request = pb.ListDeadLettersRequest(page_size=1, filter=wanted)
        page = self._admin.call(self._stub.ListDeadLetters, request)
        return dict(page.count_by_reason)

    def redrive(
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
        request = requests.redrive(wanted, everything=everything, request_id=request_id)
        return self._to_the_end(self._stub.RedriveDeadLetters, request)

    def discard(
        self, wanted: pb.DeadLetterFilter | None = None, *, everything: bool = False, request_id: str = ""
    ) -> pb.DiscardDeadLettersResponse:
        """Drops dead letters for good; arguments and errors as `redrive`, but nothing is ever overtaken."""
        request = requests.discard(wanted, everything=everything, request_id=request_id)
        return self._to_the_end(self._stub.DiscardDeadLetters, request)

    def pause(self, stage: str, *, until: datetime, lane: str = "") -> datetime:
        """Stops handing out a stage's work until a time; what is running goes on.

        Args:
            stage: By name, such as imaging.
            until: When the pause ends by itself, at most 30 days ahead.
            lane: By name, such as bulk; empty means all lanes of the stage.

        Returns:
            When it ends.
        """
        answer = self._admin.call(self._stub.PauseQueue, requests.pause(stage, lane, until))
        return answer.pause_until_time.ToDatetime(until.tzinfo)

    def resume(self, stage: str, *, lane: str = "") -> None:
        """Ends a pause; harmless where there is none."""
        self._admin.call(self._stub.ResumeQueue, requests.resume(stage, lane))

    def _to_the_end(self, method: grpc.UnaryUnaryMultiCallable[_Bulk, _Answer], request: _Bulk) -> _Answer:
        """Repeats a call that takes longer than one deadline: with its request id it goes on where it was."""
        for _ in range(requests.BULK_TRIES - 1):
            try:
                return self._admin.call(method, request)
            except DeadlineExceededError:
                continue
        return self._admin.call(method, request)

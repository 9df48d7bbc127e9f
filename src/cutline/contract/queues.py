"""Jobs, dead letters and counts of the queues as cutline.v1 says them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from google.protobuf.duration_pb2 import Duration

from cutline.contract.designs import timestamp
from cutline.domain.states import AttemptOutcome, Lane, Stage
from cutline.messaging.consumers import ConsumerCounts
from cutline.messaging.dead_stream import UnreadableLetter
from cutline.store.queue_counts import StoredReading
from cutline.store.queue_reads import AttemptRow, DeadLetterRow, JobRow
from cutline.v1 import design_pb2, job_pb2
from cutline.v1 import queue_service_pb2 as pb

_STAGES: Final = {Stage.IMAGING: design_pb2.STAGE_IMAGING, Stage.MOCKUP: design_pb2.STAGE_MOCKUP}
_LANES: Final = {
    Lane.EXPRESS: job_pb2.LANE_EXPRESS,
    Lane.STANDARD: job_pb2.LANE_STANDARD,
    Lane.BULK: job_pb2.LANE_BULK,
}


def job_to_wire(row: JobRow, attempts: Iterable[AttemptRow] = ()) -> job_pb2.Job:
    """A job, with its attempts where they were read."""
    return job_pb2.Job(
        id=str(row.job_id),
        tenant=row.tenant,
        design_id=str(row.design_id),
        generation=row.generation,
        stage=_STAGES[row.stage],
        lane=_LANES[row.lane],
        state=job_pb2.Job.State.Value(f"STATE_{row.state}"),
        attempt_count=row.attempt_count,
        max_attempts=row.max_attempts,
        publication=row.publication,
        due_time=timestamp(row.due_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        finish_time=timestamp(row.finish_time),
        attempts=[_attempt(attempt) for attempt in attempts],
    )


def _attempt(row: AttemptRow) -> job_pb2.Attempt:
    return job_pb2.Attempt(
        number=row.number,
        worker=row.worker,
        start_time=timestamp(row.start_time),
        finish_time=timestamp(row.finish_time),
        outcome=_outcome(row.outcome),
        reason=row.reason,
        message=row.message,
    )


def _outcome(outcome: AttemptOutcome | None) -> job_pb2.Attempt.Outcome.ValueType:
    return job_pb2.Attempt.Outcome.Value(f"OUTCOME_{outcome or 'UNSPECIFIED'}")


def dead_letter_to_wire(letter: DeadLetterRow | UnreadableLetter) -> job_pb2.DeadLetter:
    """A dead letter; one whose message named no job has neither tenant nor job nor design."""
    if isinstance(letter, UnreadableLetter):
        return job_pb2.DeadLetter(
            id=str(letter.dead_letter_id),
            stage=_STAGES[letter.stage],
            reason=letter.reason,
            message=letter.message,
            create_time=timestamp(letter.create_time),
        )
    return job_pb2.DeadLetter(
        id=str(letter.dead_letter_id),
        tenant=letter.tenant,
        job_id=str(letter.job_id),
        design_id=str(letter.design_id),
        generation=letter.generation,
        stage=_STAGES[letter.stage],
        lane=_LANES[letter.lane],
        reason=letter.reason,
        message=letter.message,
        attempt_count=letter.attempt_count,
        create_time=timestamp(letter.create_time),
        trace_id=letter.trace_id,
    )


def stats_to_wire(stored: StoredReading, consumers: Iterable[ConsumerCounts]) -> pb.Stats:
    """The counts of every stage and lane."""
    return pb.Stats(time=timestamp(stored.time), queues=[_queue_to_wire(stored, consumer) for consumer in consumers])


def _queue_to_wire(stored: StoredReading, consumer: ConsumerCounts) -> pb.QueueStats:
    counts = stored.queues[consumer.stage, consumer.lane]
    return pb.QueueStats(
        stage=_STAGES[consumer.stage],
        lane=_LANES[consumer.lane],
        waiting_count=counts.waiting,
        pending_count=consumer.pending,
        in_flight_count=consumer.in_flight,
        redelivered_count=consumer.redelivered,
        dead_count=counts.dead,
        oldest_age=_age(counts.oldest_time, stored.time),
        finished_per_s=counts.finished_per_s,
        pause_until_time=timestamp(consumer.pause_until_time),
    )


def _age(since: datetime | None, now: datetime) -> Duration | None:
    """How long ago; None where there is nothing, so that the field is not set."""
    if since is None:
        return None
    age = Duration()
    age.FromTimedelta(max(now - since, now - now))
    return age

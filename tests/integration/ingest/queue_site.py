"""A running ingest, an operator who calls it, and jobs that are dead before anybody worked on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import grpc
from google.rpc import error_details_pb2

from cutline.contract.specs import spec_to_json
from cutline.domain.states import Lane, Stage
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.connection import Broker
from cutline.messaging.dead_stream import DeadStream
from cutline.messaging.topology import Topology
from cutline.store.dead_letters import bury
from cutline.store.ids import new_id
from cutline.store.pool import Database
from cutline.v1 import design_pb2, job_pb2
from cutline.v1 import queue_service_pb2 as pb
from tests.integration.ingest.parts import stored_tickets
from tests.integration.ingest.service import detail_of

_INSERT = """
WITH design AS (
    INSERT INTO designs (design_id, tenant, title, labels, reference, upload_id, artwork_key, filename, media_type,
                         size_bytes, sha256, state)
    VALUES ($1, $3, '', '{}', '', $1, 'key', 'a.png', 'image/png', 1, sha256('a'), $7)
    RETURNING design_id
), run AS (
    INSERT INTO generations (design_id, generation, state, dedup_key, spec, resolved_spec)
    SELECT design_id, 1, $7, sha256($8::text::bytea), '{}', $6 FROM design
)
INSERT INTO jobs (job_id, tenant, design_id, generation, stage, lane, state, max_attempts, traceparent)
SELECT $2, $3, design_id, 1, $4, $5, 'QUEUED', 5,
       '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01' FROM design
"""
_RESOLVED = spec_to_json(resolve(StickerSpec(mockup_scenes=())))


@dataclass(frozen=True, slots=True)
class Made:
    """A job in the database, its design, and its dead letter where it is dead."""

    job_id: UUID
    design_id: UUID
    dead_letter_id: str = ""


@dataclass
class Site:
    """What a test of QueueService works with.

    Attributes:
        stub: Calls QueueService.
        target: Address of ingest.
        key: The operator's key; has every scope.
    """

    database: Database
    broker: Broker
    topology: Topology
    tenant: str
    stub: Any
    target: str
    key: str = field(repr=False)

    async def call(self, method: str, request: Any) -> Any:
        """One RPC of the operator."""
        return await getattr(self.stub, method)(request, metadata=self.metadata)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The operator's credential."""
        return (("authorization", f"Bearer {self.key}"),)

    async def queued(
        self, *, stage: Stage = Stage.IMAGING, lane: Lane = Lane.STANDARD, tenant: str = "", work: str = ""
    ) -> Made:
        """A job that was released and not started; equal `work` is joined while it is unfinished."""
        made = Made(new_id(), new_id())
        state = "QUEUED" if stage is Stage.IMAGING else "PROCESSING"
        await self.database.execute(
            _INSERT, made.design_id, made.job_id, tenant or self.tenant, stage, lane, _RESOLVED, state,
            work or str(made.design_id),
        )  # fmt: skip
        return made

    async def dead(self, *, reason: str = "NO_SUBJECT", **values: Any) -> Made:
        """A job that was given up, with its dead letter."""
        made = await self.queued(**values)
        async with self.database.transaction() as connection:
            await bury(connection, self.topology, job_id=made.job_id, reason=reason, message="It cannot be done.")
        letter = await self.database.fetchval(
            "SELECT dead_letter_id FROM dead_letters WHERE job_id = $1 AND resolution IS NULL", made.job_id
        )
        return Made(made.job_id, made.design_id, str(letter))

    async def put_aside(self, stage: Stage = Stage.IMAGING) -> str:
        """A message that named no job, as a worker puts it aside; the id of its dead letter."""
        letter = str(new_id())
        copy = ticket_pb2.DeadLetterCopy(
            dead_letter_id=letter,
            ticket=ticket_pb2.JobTicket(tenant=self.tenant),
            stage=stage.value,
            reason="MESSAGE_UNREADABLE",
            message="Message 7 of the job stream names no job.",
        )
        await self.broker.jetstream.publish(self.topology.unreadable_subject(stage), copy.SerializeToString())
        return letter

    async def letters(self, **conditions: Any) -> list[job_pb2.DeadLetter]:
        """The dead letters of one page."""
        request = pb.ListDeadLettersRequest(filter=pb.DeadLetterFilter(**conditions))
        return list((await self.call("ListDeadLetters", request)).dead_letters)

    async def redrive(self, **values: Any) -> pb.RedriveDeadLettersResponse:
        """Redrives what the conditions match; `all` and `request_id` go beside them."""
        beside = {name: values.pop(name) for name in ("all", "request_id") if name in values}
        request = pb.RedriveDeadLettersRequest(filter=pb.DeadLetterFilter(**values), **beside)
        answer: pb.RedriveDeadLettersResponse = await self.call("RedriveDeadLetters", request)
        return answer

    async def discard(self, **values: Any) -> int:
        """Discards what the conditions match; how many that were."""
        beside = {name: values.pop(name) for name in ("all", "request_id") if name in values}
        request = pb.DiscardDeadLettersRequest(filter=pb.DeadLetterFilter(**values), **beside)
        return int((await self.call("DiscardDeadLetters", request)).discarded_count)

    async def stats(self, stage: Stage = Stage.IMAGING, lane: Lane = Lane.STANDARD) -> pb.QueueStats:
        """The counts of one stage and lane, read anew."""
        answer = await self.call("GetStats", pb.GetStatsRequest())
        wanted = (design_pb2.Stage.Value(f"STAGE_{stage.name}"), job_pb2.Lane.Value(f"LANE_{lane.name}"))
        (queue,) = (queue for queue in answer.queues if (queue.stage, queue.lane) == wanted)
        assert isinstance(queue, pb.QueueStats)
        return queue

    async def row(self, query: str, *args: object) -> asyncpg.Record:
        """The one row of a query."""
        row = await self.database.fetchrow(query, *args)
        assert row is not None
        return row

    async def job(self, made: Made) -> asyncpg.Record:
        """The job's row."""
        return await self.row("SELECT * FROM jobs WHERE job_id = $1", made.job_id)

    async def design(self, made: Made) -> asyncpg.Record:
        """The design's row."""
        return await self.row("SELECT * FROM designs WHERE design_id = $1", made.design_id)

    async def tickets(self) -> list[ticket_pb2.JobTicket]:
        """Every ticket the broker holds, in order."""
        return await stored_tickets(self.broker, self.topology)

    async def copies(self) -> int:
        """Messages on the stream of dead letters."""
        return int((await self.broker.jetstream.stream_info(self.topology.dead_stream)).state.messages)

    @property
    def stream(self) -> DeadStream:
        """The stream of dead letters."""
        return DeadStream(self.broker, self.topology)


def named_fields(error: grpc.aio.AioRpcError) -> list[str]:
    """The fields at fault that an error names."""
    return [violation.field for violation in detail_of(error, error_details_pb2.BadRequest).field_violations]

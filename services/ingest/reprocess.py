"""Starts the next generation of a design, superseding an unfinished one."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cutline.contract.specs import spec_from_json
from cutline.contract.submits import JobWish, SpecWish, resolve_spec
from cutline.domain.calls import CallIdentity
from cutline.domain.dedup import reprocess_key
from cutline.domain.states import DesignState, Stage
from cutline.store.design_changes import (
    LockedDesign,
    NewGeneration,
    generation_under_way,
    lock_design,
    raise_lane,
    start_generation,
)
from cutline.store.ids import new_id
from cutline.store.outbox import OutboxRow, insert_outbox
from cutline.store.pool import Connection, Database
from cutline.store.release import ReleasedJob
from cutline.store.requests import find_answer, record_answer
from cutline.store.submissions import Repeat
from cutline.telemetry.propagation import traceparent_of_current
from services.ingest.backlog import Backlog
from services.ingest.dispatch import Dispatch


@dataclass(frozen=True, slots=True)
class _Started:
    """A new generation: the state before it, its revision, and the ticket where its job was released at once."""

    before: LockedDesign
    revision: int
    tickets: list[OutboxRow]


class Reprocess:
    """Runs a reprocess as one transaction, then publishes."""

    def __init__(self, *, database: Database, dispatch: Dispatch, backlog: Backlog) -> None:
        self._database = database
        self._dispatch = dispatch
        self._backlog = backlog

    async def run(self, call: CallIdentity, design_id: UUID, spec: SpecWish | None, job: JobWish) -> Repeat:
        """Starts the generation, or finds equal work under way.

        Args:
            call: Who asks, and under which id.
            design_id: The design.
            spec: Its new spec; None keeps the newest generation's.
            job: How to run it.

        Raises:
            NotFoundError: The tenant has no such design.
            ConflictError: The request id belongs to another call.
            ResourceExhaustedError: A cap is reached.
            asyncpg.UniqueViolationError: The same call is being answered elsewhere; try again.
        """

        async def work(connection: Connection) -> Repeat | _Started:
            first = await find_answer(connection, call)
            if first is not None:
                return Repeat(first.resource_id, first.deduplicated)
            design = await lock_design(connection, call.tenant, design_id)
            return await self._start(connection, call, design, spec or _kept_spec(design), job)

        done = await self._database.run_transaction(work)
        if isinstance(done, Repeat):
            return done
        before = done.before
        if not before.state.terminal:
            await self._dispatch.ring_cancel(design_id=design_id, generation=before.generation)
        await self._dispatch.send(done.tickets)
        await self._dispatch.ring(
            tenant=call.tenant, design_id=design_id, revision=done.revision, state=DesignState.QUEUED
        )
        return Repeat(design_id, deduplicated=False)

    async def _start(
        self, connection: Connection, call: CallIdentity, design: LockedDesign, spec: SpecWish, job: JobWish
    ) -> Repeat | _Started:
        key = reprocess_key(
            tenant=call.tenant,
            design_id=design.design_id,
            artwork_sha256=design.sha256.hex(),
            spec=spec.resolved,
            reference=design.reference,
            not_before_time=job.not_before_time,
        )
        if await generation_under_way(connection, key):
            await raise_lane(connection, design, job.lane)
            await record_answer(connection, call, design.design_id, deduplicated=True)
            return Repeat(design.design_id, deduplicated=True)
        if design.state.terminal and (refusal := self._backlog.full(call.tenant)):
            raise refusal
        wanted = NewGeneration(
            job_id=new_id(),
            dedup_key=key,
            spec=spec.spec,
            resolved_spec=spec.resolved_spec,
            lane=job.lane,
            max_attempts=job.max_attempts,
            not_before_time=job.not_before_time,
            held=job.not_before_time is None and self._backlog.window_full(call.tenant, Stage.IMAGING, job.lane),
            traceparent=traceparent_of_current(),
        )
        revision = await start_generation(connection, design, wanted)
        tickets = [] if wanted.waits else [self._ticket(design, wanted)]
        await insert_outbox(connection, tickets)
        await record_answer(connection, call, design.design_id)
        if wanted.held:
            self._backlog.hold(call.tenant, Stage.IMAGING, job.lane)
        self._backlog.add(call.tenant, None if wanted.waits else (call.tenant, Stage.IMAGING, job.lane))
        return _Started(design, revision, tickets)

    def _ticket(self, design: LockedDesign, wanted: NewGeneration) -> OutboxRow:
        return self._dispatch.ticket(
            ReleasedJob(
                job_id=wanted.job_id,
                tenant=design.tenant,
                design_id=design.design_id,
                generation=design.generation + 1,
                stage=Stage.IMAGING,
                lane=wanted.lane,
                publication=1,
                traceparent=wanted.traceparent,
            )
        )


def _kept_spec(design: LockedDesign) -> SpecWish:
    return resolve_spec(spec_from_json(design.spec))

"""What finished work leaves, each under the fence of its attempt; work that ends together shares one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Generic, TypeVar
from uuid import UUID

from cutline.domain.outputs import Finding
from cutline.domain.states import Stage
from cutline.messaging.tickets import job_ticket
from cutline.messaging.topology import Topology, job_msg_id
from cutline.store.attempts import Claim
from cutline.store.commits import Committed, terminal_ring
from cutline.store.group_commit import GroupCommit
from cutline.store.ids import new_id
from cutline.store.outbox import OutboxRow, insert_outbox
from cutline.store.pool import Connection, Database
from cutline.store.release import RELEASE_WINDOW
from cutline.store.result_rows import (
    ArtifactRow,
    FollowUp,
    ImagingResults,
    MockupRow,
    hand_on,
    make_ready,
    succeed,
    write_follow_ups,
    write_imaging,
    write_mockups,
)

__all__ = ["ArtifactRow", "ImagingResults", "MockupRow", "Results"]


@dataclass(frozen=True, slots=True)
class _Imaged:
    """An imaging run that is done."""

    claim: Claim
    results: ImagingResults
    mockups_wanted: bool
    traceparent: str


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A mockup run that is done."""

    claim: Claim
    mockups: tuple[MockupRow, ...]
    finding: Finding | None
    traceparent: str


_Run = TypeVar("_Run", bound="_Imaged | _Rendered")


class Results:
    """Writes what finished work leaves.

    Args:
        database: Where to.
        topology: Names the subjects of what is told.
        release_window: Released, unstarted jobs a tenant may have in one stage and lane; more wait for their turn.
    """

    def __init__(self, database: Database, topology: Topology, *, release_window: int = RELEASE_WINDOW) -> None:
        self._topology = topology
        self._release_window = release_window
        self._imaged: _Fenced[_Imaged] = _Fenced(database, self._write_imaged)
        self._rendered: _Fenced[_Rendered] = _Fenced(database, self._write_rendered)

    async def imaging_done(
        self, claim: Claim, results: ImagingResults, *, mockups_wanted: bool, traceparent: str
    ) -> Committed | None:
        """Writes an imaging run and its mockup job; without mockups the design is READY at once.

        Args:
            claim: The attempt that did it.
            results: What it made.
            mockups_wanted: Whether a mockup job follows.
            traceparent: Trace that the mockup job continues; empty for none.

        Returns:
            What to tell, or None when the attempt is fenced out.
        """
        return await self._imaged.commit(_Imaged(claim, results, mockups_wanted, traceparent))

    async def mockup_done(
        self, claim: Claim, mockups: Sequence[MockupRow], *, finding: Finding | None, traceparent: str
    ) -> Committed | None:
        """Writes the mockups that could be rendered and makes the design READY.

        Args:
            claim: The attempt that did it.
            mockups: What it made.
            finding: What to say of mockups that are missing, if any are.
            traceparent: Trace that the terminal doorbell continues; empty for none.

        Returns:
            What to tell, or None when the attempt is fenced out.
        """
        return await self._rendered.commit(_Rendered(claim, tuple(mockups), finding, traceparent))

    async def _write_imaged(self, connection: Connection, runs: Sequence[_Imaged]) -> dict[UUID, Committed]:
        await write_imaging(connection, [(run.claim, run.results) for run in runs])
        told = await self._hand_on(connection, [run for run in runs if run.mockups_wanted])
        told |= await self._make_ready(connection, [run for run in runs if not run.mockups_wanted])
        await insert_outbox(connection, [row for one in told.values() for row in one.outbox])
        return told

    async def _write_rendered(self, connection: Connection, runs: Sequence[_Rendered]) -> dict[UUID, Committed]:
        await write_mockups(connection, [(run.claim, run.mockups, run.finding) for run in runs])
        told = await self._make_ready(connection, runs)
        await insert_outbox(connection, [row for one in told.values() for row in one.outbox])
        return told

    async def _hand_on(self, connection: Connection, runs: Sequence[_Imaged]) -> dict[UUID, Committed]:
        if not runs:
            return {}
        designs = await hand_on(connection, [run.claim for run in runs])
        follow_ups = {
            run.claim.design_id: FollowUp(
                new_id(), run.claim.tenant, run.claim.design_id, run.claim.generation, run.claim.lane,
                run.claim.max_attempts, run.traceparent,
            )
            for run in runs
        }  # fmt: skip
        held = await write_follow_ups(connection, list(follow_ups.values()), window=self._release_window)
        told = {}
        for design_id, job in follow_ups.items():
            outbox = () if job.job_id in held else (self._mockup_ticket(job),)
            design = designs[design_id]
            told[design_id] = Committed(job.tenant, design_id, design.revision, design.state, outbox)
        return told

    def _mockup_ticket(self, job: FollowUp) -> OutboxRow:
        ticket = job_ticket(
            job_id=job.job_id,
            publication=1,
            tenant=job.tenant,
            design_id=job.design_id,
            generation=job.generation,
        )
        subject = self._topology.job_subject(Stage.MOCKUP, job.lane, job.tenant)
        return OutboxRow(new_id(), subject, job_msg_id(job.job_id, 1), ticket, job.traceparent)

    async def _make_ready(
        self, connection: Connection, runs: Sequence[_Imaged] | Sequence[_Rendered]
    ) -> dict[UUID, Committed]:
        if not runs:
            return {}
        designs = await make_ready(connection, [run.claim for run in runs])
        told = {}
        for run in runs:
            claim, design = run.claim, designs[run.claim.design_id]
            ring = terminal_ring(
                self._topology,
                tenant=claim.tenant,
                design_id=claim.design_id,
                revision=design.revision,
                state=design.state,
                traceparent=run.traceparent,
            )
            told[claim.design_id] = Committed(claim.tenant, claim.design_id, design.revision, design.state, (ring,))
        return told


class _Fenced(Generic[_Run]):
    """Commits runs together; one whose design somebody holds at the moment commits by itself and waits for it.

    So a batch waits for nobody and cannot deadlock with another.
    """

    def __init__(
        self, database: Database, write: Callable[[Connection, Sequence[_Run]], Awaitable[dict[UUID, Committed]]]
    ) -> None:
        self._database = database
        self._write = write
        self._group: GroupCommit[_Run, Committed | None] = GroupCommit(self._commit_together)

    async def commit(self, run: _Run) -> Committed | None:
        """Commits a run; None when it is fenced out."""
        return await self._group.submit(run) or (await self._commit([run], wait=True))[0]

    async def _commit_together(self, runs: Sequence[_Run]) -> list[Committed | None]:
        return await self._commit(runs, wait=False)

    async def _commit(self, runs: Sequence[_Run], *, wait: bool) -> list[Committed | None]:
        async def work(connection: Connection) -> list[Committed | None]:
            standing = await succeed(connection, [run.claim for run in runs], wait=wait)
            sound = [(run.claim.job_id, run.claim.attempt) in standing for run in runs]
            told = await self._write(connection, list(compress(runs, sound))) if standing else {}
            return [told[run.claim.design_id] if stands else None for run, stands in zip(runs, sound, strict=True)]

        return await self._database.run_transaction(work)

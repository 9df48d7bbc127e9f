"""A design as the fake keeps it: the states, revisions and lines of the timeline that the real services give it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from cutline.contract.accepted_designs import accepted_design
from cutline.contract.report import finding_to_wire
from cutline.contract.submits import SpecWish, SubmitWish
from cutline.domain.refusals import design_running, design_terminal
from cutline.domain.states import DesignState, Stage, design_may_become
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.testing.outcomes import Failed, Ready
from cutline.testing.results import MOCKUPS_UNAVAILABLE, File, RunResults, make_results
from cutline.v1 import design_pb2 as pb

WORKER: Final = "fake-worker"
MOCKUP_BEGIN: Final = 0.8
"""Share of a design's progress at which its mockups begin."""

_RESULT_FIELDS: Final = (
    "geometry",
    "artifacts",
    "findings",
    "print_verdict",
    "cutout_method",
    "cutout_confidence",
    "mockups",
)
_STAGES: Final = {None: pb.STAGE_UNSPECIFIED, Stage.IMAGING: pb.STAGE_IMAGING, Stage.MOCKUP: pb.STAGE_MOCKUP}


@dataclass(eq=False, slots=True)
class StoredDesign:
    """A design with what the wire does not show; every change makes a new `message` with the next revision.

    Attributes:
        design_id: Its id.
        message: As the services tell it, without addresses and timeline; never changed in place.
        resolved: Spec of the newest generation after preset and defaults.
        dedup_key: By which equal work is known, of the newest generation.
        outcome: What the newest generation ends as.
        timeline: Every change, oldest first.
        files: Files by generation and name.
        change: Number of its last change among all of the store.
    """

    design_id: UUID
    message: pb.Design
    resolved: ResolvedSpec
    dedup_key: bytes
    outcome: Ready | Failed = field(default_factory=Ready)
    timeline: list[pb.TimelineEntry] = field(default_factory=list)
    files: dict[tuple[int, str], File] = field(default_factory=dict)
    change: int = 0
    _run: RunResults | None = None
    _mockups_begun: bool = False
    _last_ready: pb.Design = field(default_factory=pb.Design)

    @property
    def state(self) -> DesignState:
        """Where its newest generation stands."""
        return DesignState(pb.Design.State.Name(self.message.state).removeprefix("STATE_"))

    @property
    def full(self) -> pb.Design:
        """The message with its timeline."""
        message = pb.Design()
        message.CopyFrom(self.message)
        message.timeline.extend(self.timeline)
        return message

    def accept(self) -> None:
        """Writes the first line of its timeline."""
        self._note("submitted", None)

    def advance(self) -> None:
        """Takes one step of the work: start, imaging done, mockups started, end.

        Raises:
            ValueError: It has ended.
        """
        self.check_unfinished()
        if self.state is DesignState.QUEUED:
            self._change(DesignState.PROCESSING, Stage.IMAGING, "imaging_started", progress=0.0)
        elif self._run is None:
            self._end_imaging()
        elif not self._mockups_begun:
            self._mockups_begun = True
            self._change(DesignState.PROCESSING, Stage.MOCKUP, "mockup_started", progress=MOCKUP_BEGIN)
        elif isinstance(self.outcome, Ready) and self.outcome.mockups_fail:
            self._end_without_mockups(self._run)
        else:
            self._end_mockups(self._run)

    def set_progress(self, progress: float) -> None:
        """Says how much of the work is done, as a worker does now and then.

        Raises:
            ValueError: It is not being worked on, or the share would not grow or lies outside 0 to 1.
        """
        if self.state is not DesignState.PROCESSING:
            text = f"design {self.design_id} is {self.state}; only one that is PROCESSING makes progress"
            raise ValueError(text)
        if not self.message.progress < progress <= 1:
            text = f"progress: {progress:g} is not above {self.message.progress:g} and at most 1"
            raise ValueError(text)
        message = self._next()
        message.progress = progress
        self.message = message

    def fail(self, failed: Failed) -> None:
        """Ends it FAILED; one whose imaging is done only loses its mockups, and ends READY.

        Raises:
            ValueError: It has ended.
        """
        self.check_unfinished()
        if self._run is not None:
            self._end_without_mockups(self._run)
            return
        self._change(DesignState.FAILED, Stage.IMAGING, "failed")
        self.message.failure.reason, self.message.failure.message = failed.reason, failed.message
        self.message.failure.stage = pb.STAGE_IMAGING

    def cancel(self) -> None:
        """Stops it; it shows the files of its last finished run again.

        Raises:
            PreconditionError: It has ended.
        """
        if self.state.terminal:
            raise design_terminal(self.design_id, self.state)
        self._change(DesignState.CANCELLED, None, "cancelled")
        self._show(self._last_ready)

    def check_unfinished(self) -> None:
        """Lets a design pass that can still be worked on.

        Raises:
            ValueError: It has ended.
        """
        if self.state.terminal:
            text = f"design {self.design_id} has ended: it is {self.state}"
            raise ValueError(text)

    def check_deletable(self) -> None:
        """Lets a design pass that may be deleted.

        Raises:
            PreconditionError: Its work is unfinished.
        """
        if not self.state.terminal:
            raise design_running(self.design_id, self.state)

    def restart(self, wish: SpecWish, dedup_key: bytes) -> None:
        """Starts its next generation; the files of the last finished one stay until the new are there."""
        self.resolved, self.dedup_key = wish.resolved, dedup_key
        self._run, self._mockups_begun = None, False
        message = self._next(DesignState.QUEUED, generation=self.message.generation + 1)
        message.spec.CopyFrom(wish.wire)
        message.resolved_spec.CopyFrom(wish.resolved_wire)
        message.progress = 0.0
        self.message = message
        self._note("resubmitted", None)

    def _end_imaging(self) -> None:
        if isinstance(self.outcome, Failed):
            self.fail(self.outcome)
            return
        generation = self.message.generation
        self._run = make_results(self.resolved, self.outcome, generation=generation)
        self.files.update({(generation, name): file for name, file in self._run.files.items()})
        if self._run.scenes:
            self._change(DesignState.PROCESSING, Stage.MOCKUP, "imaging_done", progress=MOCKUP_BEGIN, by=Stage.IMAGING)
            self._show(self._run.design)
        else:
            self._end_ready("ready", Stage.IMAGING, self._run.design)

    def _end_mockups(self, run: RunResults) -> None:
        results = pb.Design()
        results.CopyFrom(run.design)
        results.mockups.extend(run.mockups)
        self._end_ready("ready", Stage.MOCKUP, results)

    def _end_without_mockups(self, run: RunResults) -> None:
        results = pb.Design()
        results.CopyFrom(run.design)
        results.findings.append(finding_to_wire(asdict(MOCKUPS_UNAVAILABLE)))
        self._end_ready("mockups_unavailable", Stage.MOCKUP, results)

    def _end_ready(self, event: str, by: Stage, results: pb.Design) -> None:
        self._change(DesignState.READY, None, event, progress=1.0, by=by)
        self._show(results)
        self._last_ready = results

    def _show(self, results: pb.Design) -> None:
        for name in _RESULT_FIELDS:
            self.message.ClearField(name)
        kept = pb.Design()
        kept.CopyFrom(results)
        kept.ClearField("generation")
        self.message.MergeFrom(kept)

    def _change(
        self,
        state: DesignState,
        stage: Stage | None,
        event: str,
        *,
        progress: float | None = None,
        by: Stage | None = None,
    ) -> None:
        """Makes the next revision and its line in the timeline; `by` is the stage of that line where it is another."""
        message = self._next(state)
        message.stage = _STAGES[None if state.terminal else stage]
        if progress is not None:
            message.progress = progress
        if state.terminal:
            message.finish_time.CopyFrom(message.update_time)
        self.message = message
        self._note(event, by or stage)

    def _next(self, state: DesignState | None = None, *, generation: int | None = None) -> pb.Design:
        message = pb.Design()
        message.CopyFrom(self.message)
        message.revision += 1
        message.update_time.CopyFrom(now())
        state, generation = state or self.state, generation or message.generation
        old = self.message.generation
        assert design_may_become(self.state, state, old_generation=old, new_generation=generation)  # noqa: S101
        if generation != old:
            message.generation = generation
            for name in ("stage", "failure", "finish_time"):
                message.ClearField(name)
        message.state = pb.Design.State.Value(f"STATE_{state}")
        return message

    def _note(self, event: str, stage: Stage | None) -> None:
        message = self.message
        self.timeline.append(
            pb.TimelineEntry(
                revision=message.revision,
                time=message.update_time,
                generation=message.generation,
                state=message.state,
                stage=_STAGES[stage],
                attempt=1 if stage else 0,
                worker=WORKER if stage else "",
                event=event,
            )
        )


def new_design(design_id: UUID, wish: SubmitWish, artwork: pb.Artwork, dedup_key: bytes) -> StoredDesign:
    """A design as it is accepted."""
    message = accepted_design(design_id, wish, artwork, create_time=datetime.now(UTC))
    return StoredDesign(design_id, message, wish.spec.resolved, dedup_key)


def now() -> Timestamp:
    """The time, as the wire says it."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC))
    return stamp

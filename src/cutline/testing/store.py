"""Everything the fake knows, behind one lock: uploads, designs, answers to repeated calls, and who watches."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from cutline.contract.specs import spec_from_wire
from cutline.contract.submits import JobWish, SpecWish, SubmitWish, UploadWish, resolve_spec
from cutline.contract.tokens import ResumePoint, resume_token_invalid
from cutline.domain.calls import CallIdentity
from cutline.domain.dedup import reprocess_key, submit_key
from cutline.domain.errors import Reason
from cutline.domain.ids import parse_id
from cutline.domain.refusals import artwork_missing, design_not_found, upload_not_found
from cutline.domain.states import DesignState
from cutline.testing.addresses import Addresses, with_addresses
from cutline.testing.answers import Answers
from cutline.testing.designs import StoredDesign, new_design
from cutline.testing.ids import Ids
from cutline.testing.outcomes import Failed, Held, Outcome, Outcomes, Ready, checked_outcome
from cutline.testing.uploads import StoredUpload
from cutline.testing.watches import Change, DesignWatch, TenantWatch, Watch, Watchers
from cutline.v1 import design_pb2 as pb

UPLOAD_KEEP: Final = timedelta(hours=24)


class Store:
    """Uploads and designs of every tenant.

    Args:
        addresses: Signs where files are put and fetched.
        outcome: What becomes of designs for which nothing else is scripted.

    Attributes:
        lock: Held around every look and change; whoever waits for a change waits on it.
        script: What becomes of the next runs, first to last.
        uploads: By id.
        designs: By id, oldest first.
        watchers: Who is told what happens.
    """

    def __init__(self, addresses: Addresses, outcome: Outcomes) -> None:
        self.lock = threading.Condition()
        self.outcome = outcome
        self.script: deque[Outcome] = deque()
        self.uploads: dict[UUID, StoredUpload] = {}
        self.designs: dict[UUID, StoredDesign] = {}
        self.watchers = Watchers()
        self._addresses = addresses
        self._ids = Ids()
        self._answers = Answers()
        self._under_way: dict[bytes, UUID] = {}
        self._gone: dict[UUID, Change] = {}
        self._next_change = 1

    # Calls of IngestService.

    def create_upload(self, wish: UploadWish) -> StoredUpload:
        """Promises an upload, or finds the one that this call promised before."""
        with self.lock:
            first = self._answers.first(wish.call)
            if first is not None and first.resource_id in self.uploads:
                return self.uploads[first.resource_id]
            upload = StoredUpload(
                self._ids.new(),
                wish.call.tenant,
                wish.filename,
                wish.media_type,
                wish.size_bytes,
                wish.sha256,
                datetime.now(UTC) + UPLOAD_KEEP,
            )
            self.uploads[upload.upload_id] = upload
            self._answers.record(wish.call, upload.upload_id)
            return upload

    def submit(self, wish: SubmitWish) -> tuple[pb.Design, bool]:
        """Accepts a design, or finds the one whose work is the same; the design and whether it was found."""
        with self.lock:
            upload = self._artwork(wish.call.tenant, wish.upload_id)
            first = self._answers.first(wish.call)
            if first is not None:
                return self._design(wish.call.tenant, first.resource_id).message, first.deduplicated
            key = submit_key(
                tenant=wish.call.tenant,
                artwork_sha256=upload.sha256.hex(),
                spec=wish.spec.resolved,
                reference=wish.reference,
                not_before_time=wish.job.not_before_time,
            )
            equal = self._under_way.get(key)
            if equal is not None:
                self._answers.record(wish.call, equal, deduplicated=True)
                return self.designs[equal].message, True
            design = new_design(self._ids.new(), wish, upload.artwork, key)
            accepted = design.message
            outcome = self._next_outcome(accepted)
            self.designs[design.design_id] = design
            self._answers.record(wish.call, design.design_id)
            design.accept()
            self._tell(design)
            self._work(design, outcome, wish.job)
            return accepted, False

    def reprocess(
        self, call: CallIdentity, design_id: UUID, spec: SpecWish | None, job: JobWish
    ) -> tuple[pb.Design, bool]:
        """Starts the next generation of a design, or finds equal work; the design and whether it was found."""
        with self.lock:
            first = self._answers.first(call)
            if first is not None:
                return self._design(call.tenant, first.resource_id).message, first.deduplicated
            design = self._design(call.tenant, design_id)
            wish = spec or resolve_spec(spec_from_wire(design.message.spec))
            key = reprocess_key(
                tenant=call.tenant,
                design_id=design_id,
                artwork_sha256=design.message.artwork.sha256,
                spec=wish.resolved,
                reference=design.message.reference,
                not_before_time=job.not_before_time,
            )
            if key in self._under_way:
                self._answers.record(call, design_id, deduplicated=True)
                return design.message, True
            self._end_work(design)
            design.restart(wish, key)
            restarted = design.message
            self._answers.record(call, design_id)
            self._tell(design)
            self._work(design, self._next_outcome(restarted), job)
            return restarted, False

    def cancel(self, call: CallIdentity, design_id: UUID) -> pb.Design:
        """Stops a design's unfinished work."""
        with self.lock:
            if self._answers.first(call) is None:
                design = self._design(call.tenant, design_id)
                design.cancel()
                self._answers.record(call, design_id)
                self._tell(design)
            return self._design(call.tenant, design_id).message

    def delete(self, call: CallIdentity, design_id: UUID) -> None:
        """Deletes a design with its files."""
        with self.lock:
            if self._answers.first(call) is not None:
                return
            design = self._design(call.tenant, design_id)
            design.check_deletable()
            del self.designs[design_id]
            self._answers.record(call, design_id)
            self._tell(design, gone=True)

    # Calls of StatusService.

    def read(self, tenant: str, design_id: UUID, *, timeline: bool) -> pb.Design:
        """A design with the addresses of its files."""
        with self.lock:
            design = self._design(tenant, design_id)
            return with_addresses(design.full if timeline else design.message, self._addresses)

    def newest_first(self, tenant: str) -> list[pb.Design]:
        """All designs of a tenant."""
        with self.lock:
            designs = [self.designs[design_id].message for design_id in sorted(self.designs, reverse=True)]
            return [design for design in designs if design.tenant == tenant]

    def watch_design(self, tenant: str, design_id: UUID, *, after_revision: int) -> DesignWatch:
        """A watch of one design, which has been offered the design as it is.

        Raises:
            NotFoundError: The tenant has none of that id; one who has seen it before is told of its deletion instead.
        """
        with self.lock:
            watch = DesignWatch(after_revision=after_revision)
            gone = self._gone.get(design_id) if after_revision else None
            if gone is not None and gone.tenant == tenant:
                watch.offer(gone)
            else:
                watch.offer(self._change_of(self._design(tenant, design_id)))
            self.watchers.add(watch, tenant, design_id)
            return watch

    def watch_tenant(self, tenant: str, point: ResumePoint | None) -> TenantWatch:
        """A watch of a tenant's designs, which has been offered what its caller has missed.

        Raises:
            OutOfRangeError: The point lies in the future: it belongs to another server.
        """
        with self.lock:
            if point is not None and point.xid > self._next_change:
                raise resume_token_invalid()
            begun = point or ResumePoint(self._next_change, snapshot_due=True)
            watch = TenantWatch(tenant, self._missed(tenant, point), point=begun, caught_up=self._next_change)
            self.watchers.add(watch, tenant)
            return watch

    def unwatch(self, watch: Watch) -> None:
        """Forgets a watch."""
        with self.lock:
            self.watchers.remove(watch)

    # What a test does.

    def advance(self, design_id: UUID, progress: float | None) -> None:
        """Takes one step of a design's work, or only its progress further."""
        with self.lock:
            design = self.designs[design_id]
            if progress is None:
                design.advance()
            else:
                design.set_progress(progress)
            self._tell(design)

    def finish(self, design_id: UUID, outcome: Ready | Failed | None) -> None:
        """Takes every step that is left."""
        with self.lock:
            design = self.designs[design_id]
            design.check_unfinished()
            design.outcome = outcome or design.outcome
            self._work_on(design)

    def fail(self, design_id: UUID, failed: Failed) -> None:
        """Fails a design where it stands."""
        with self.lock:
            design = self.designs[design_id]
            if design.state is DesignState.QUEUED:
                design.advance()
                self._tell(design)
            design.fail(failed)
            self._tell(design)

    def _next_outcome(self, design: pb.Design) -> Outcome:
        if self.script:
            return self.script.popleft()
        return checked_outcome(self.outcome(design)) if callable(self.outcome) else self.outcome

    def _work(self, design: StoredDesign, outcome: Outcome, job: JobWish) -> None:
        """Does the work of a new run as far as it goes by itself."""
        held = outcome.state if isinstance(outcome, Held) else None
        design.outcome = outcome.then if isinstance(outcome, Held) else outcome
        if held is DesignState.QUEUED or job.not_before_time is not None:
            return  # nothing starts before its time, and no clock runs here
        if held is DesignState.PROCESSING:
            design.advance()
            self._tell(design)
        else:
            self._work_on(design)

    def _work_on(self, design: StoredDesign) -> None:
        while not design.state.terminal:
            design.advance()
            self._tell(design)

    def _tell(self, design: StoredDesign, *, gone: bool = False) -> None:
        """Numbers a change and offers it to whoever watches."""
        design.change, self._next_change = self._next_change, self._next_change + 1
        if design.state.terminal:
            self._end_work(design)
        else:
            self._under_way[design.dedup_key] = design.design_id
        change = self._change_of(design, gone=gone)
        if gone:
            self._gone[design.design_id] = change
        self.watchers.offer(change)
        self.lock.notify_all()

    def _end_work(self, design: StoredDesign) -> None:
        """Has equal work be new work again, unless it is under way in another design."""
        if self._under_way.get(design.dedup_key) == design.design_id:
            del self._under_way[design.dedup_key]

    def _change_of(self, design: StoredDesign, *, gone: bool = False) -> Change:
        terminal = design.state.terminal
        message = with_addresses(design.message, self._addresses) if terminal else design.message
        return Change(design.message.tenant, design.design_id, design.change, None if gone else message, terminal)

    def _missed(self, tenant: str, point: ResumePoint | None) -> list[Change]:
        """What a caller who stands at a point is told first: unfinished designs, deletes since, and changes since."""
        mine = [design for design in self.designs.values() if design.message.tenant == tenant]
        first = [design for design in mine if not design.state.terminal]
        if point is None:
            return [self._change_of(design) for design in first]
        first = first if point.snapshot_due else []
        deletes = [gone for gone in self._gone.values() if gone.tenant == tenant and gone.number >= point.xid]
        changed = [design for design in mine if design.change >= point.xid and design not in first]
        return [
            *(self._change_of(design) for design in first),
            *deletes,
            *(self._change_of(design) for design in sorted(changed, key=lambda design: design.change)),
        ]

    def _design(self, tenant: str, design_id: UUID) -> StoredDesign:
        design = self.designs.get(design_id)
        if design is None or design.message.tenant != tenant:
            raise design_not_found(design_id)
        return design

    def _artwork(self, tenant: str, text: str) -> StoredUpload:
        """The upload that a submit names, once its bytes are there."""
        upload_id = parse_id(text, kind="upload", reason=Reason.UPLOAD_NOT_FOUND)
        upload = self.uploads.get(upload_id)
        if upload is None or upload.tenant != tenant:
            raise upload_not_found(upload_id)
        if upload.data is None:
            raise artwork_missing(upload_id)
        return upload

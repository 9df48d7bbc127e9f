"""Who watches what, and what each is told."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Final, TypeVar
from uuid import UUID

from cutline.domain.errors import CutlineError, Reason
from cutline.domain.refusals import design_not_found
from cutline.runtime.logging import get_logger
from cutline.store.design_reads import DesignKey, DesignRow
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute
from services.status.frames import FrameMaker
from services.status.watches import DesignWatch, TenantWatch, Watch

log = get_logger(__name__)

_OF_DESIGN: Final = {Attribute.STREAM_KIND.value: "design"}
_OF_TENANT: Final = {Attribute.STREAM_KIND.value: "tenant"}

_K = TypeVar("_K", bound=Hashable)
_W = TypeVar("_W", bound=Watch)


class Topics:
    """The watches of this process, by what they watch.

    Attributes:
        designs: Watches of one design.
        tenants: Watches of all designs of a tenant.
    """

    def __init__(self, frames: FrameMaker, metrics: Metrics) -> None:
        self.designs: dict[DesignKey, set[DesignWatch]] = {}
        self.tenants: dict[str, set[TenantWatch]] = {}
        self._frames = frames
        self._metrics = metrics
        self._closed: CutlineError | None = None

    def add_design_watch(self, key: DesignKey, watch: DesignWatch) -> None:
        """Tells a watch of its design from now on.

        Raises:
            CutlineError: The topics are closed.
        """
        self._add(self.designs, key, watch, _OF_DESIGN)

    def remove_design_watch(self, key: DesignKey, watch: DesignWatch) -> None:
        """Ends that."""
        self._remove(self.designs, key, watch, _OF_DESIGN)

    def add_tenant_watch(self, tenant: str, watch: TenantWatch) -> None:
        """Tells a watch of its tenant's designs from now on.

        Raises:
            CutlineError: The topics are closed.
        """
        self._add(self.tenants, tenant, watch, _OF_TENANT)

    def remove_tenant_watch(self, tenant: str, watch: TenantWatch) -> None:
        """Ends that."""
        self._remove(self.tenants, tenant, watch, _OF_TENANT)

    def close(self, error: CutlineError) -> None:
        """Ends every watch with an error, and refuses new ones with it."""
        self._closed = error
        topics: tuple[Iterable[Watch], ...] = (*self.designs.values(), *self.tenants.values())
        for watches in topics:
            for watch in watches:
                watch.fail(error)

    def watched(self, key: DesignKey) -> bool:
        """Whether anybody watches the design."""
        return key in self.designs or key[0] in self.tenants

    def is_news(self, key: DesignKey, revision: int) -> bool:
        """Whether anybody who watches the design was not told this revision yet."""
        return any(watch.behind(revision) for watch in self.designs.get(key, ())) or any(
            watch.behind(key[1], revision) for watch in self.tenants.get(key[0], ())
        )

    def tell(self, key: DesignKey, row: DesignRow | None, *, read: int, deleted_xid: int | None = None) -> bool:
        """Offers what a read found to the watches that were there when it began.

        Args:
            key: The design that was read.
            row: What was found; None where there is no such design.
            read: Number of the read.
            deleted_xid: Transaction that deleted a design that is not there; None where none is known to have been.

        Returns:
            Whether it was news to any of them.
        """
        designs = [watch for watch in self.designs.get(key, ()) if watch.first_read <= read]
        tenants = [watch for watch in self.tenants.get(key[0], ()) if watch.first_read <= read]
        if row is None:
            return self._tell_missing(key[1], designs, tenants, deleted_xid)
        return self._tell_row(row, designs, tenants)

    def _tell_row(self, row: DesignRow, designs: list[DesignWatch], tenants: list[TenantWatch]) -> bool:
        watches: tuple[Watch, ...] = (*designs, *tenants)
        wanting = [watch for watch in watches if watch.wants(row)]
        if not wanting:
            return False
        try:
            frame = self._frames.of_row(row)
        except Exception:
            # One row that this release cannot show must not end the loop that shows all others.
            log.exception("status.design_unreadable", design_id=str(row.design_id))
            for unshown in designs:
                unshown.fail(CutlineError(Reason.INTERNAL, "The design cannot be shown."))
            return False
        for watch in wanting:
            watch.offer(frame)
        return True

    def _tell_missing(
        self, design_id: UUID, designs: list[DesignWatch], tenants: list[TenantWatch], deleted_xid: int | None
    ) -> bool:
        known = [watch for watch in designs if watch.answered or (watch.resumed and deleted_xid is not None)]
        for stranger in set(designs).difference(known):
            stranger.fail(design_not_found(design_id))
        told: list[Watch] = [*known]
        if deleted_xid is not None:  # else there never was one: somebody asked for an id that is none
            told += [watch for watch in tenants if watch.wants_deleted(design_id, deleted_xid)]
        gone = self._frames.of_deleted(design_id, deleted_xid or 0)
        for each in told:
            each.offer(gone)
        return bool(told)

    def _add(self, topics: dict[_K, set[_W]], key: _K, watch: _W, kind: Mapping[str, str]) -> None:
        if self._closed is not None:
            raise self._closed
        topics.setdefault(key, set()).add(watch)
        self._metrics.watchers.add(1, kind)

    def _remove(self, topics: dict[_K, set[_W]], key: _K, watch: _W, kind: Mapping[str, str]) -> None:
        self._metrics.watchers.add(-1, kind)
        topics[key].discard(watch)
        if not topics[key]:
            del topics[key]

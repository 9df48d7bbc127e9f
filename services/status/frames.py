"""Designs as messages for all who watch: signed and serialised once per revision."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from uuid import UUID

from cutline.contract.designs import SignFile
from cutline.contract.watch_messages import deleted_message, design_message
from cutline.store.design_reads import DesignRow
from services.status.watches import GONE, Frame

# Signed addresses work for an hour; one that is handed out again must still work for most of it.
KEEP_S: Final = 300.0
KEEP_MOST: Final = 1_000


class FrameMaker:
    """Makes frames, and keeps those of terminal revisions for a while: they are asked for most and cost most.

    Args:
        sign: Signs the address of a file.
        clock: Seconds that only grow.
    """

    def __init__(self, sign: SignFile, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sign = sign
        self._clock = clock
        self._kept: OrderedDict[tuple[UUID, int], tuple[float, Frame]] = OrderedDict()

    def of_row(self, row: DesignRow) -> Frame:
        """The frame of a design; the addresses of its files are in terminal ones only."""
        if not row.state.terminal:
            return _frame(row, design_message(row))
        key = (row.design_id, row.revision)
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept[0] < KEEP_S:
            return kept[1]
        frame = _frame(row, design_message(row, sign=self._sign))
        self._kept[key] = (self._clock(), frame)
        self._kept.move_to_end(key)
        if len(self._kept) > KEEP_MOST:
            self._kept.popitem(last=False)
        return frame

    @staticmethod
    def of_deleted(design_id: UUID, change_xid: int) -> Frame:
        """The frame of a design that is gone since a transaction."""
        return Frame(design_id, GONE, terminal=False, change_xid=change_xid, body=deleted_message(design_id))


def _frame(row: DesignRow, body: bytes) -> Frame:
    return Frame(row.design_id, row.revision, row.state.terminal, row.change_xid, body)

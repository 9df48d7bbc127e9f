"""One caller's stream of one design."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from cutline.contract.watch_messages import heartbeat_message
from services.status.watches import DesignWatch


async def design_messages(watch: DesignWatch, *, heartbeat_s: float) -> AsyncGenerator[bytes, None]:
    """WatchDesignResponse messages, to the end of the design's newest generation or of the design.

    Raises:
        CutlineError: The watch was failed.
    """
    while True:
        frame = watch.take()
        if frame is not None:
            yield frame.body
            if frame.last:
                return
        elif not await watch.wait(heartbeat_s):
            yield heartbeat_message()

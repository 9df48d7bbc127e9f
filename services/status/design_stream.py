"""One caller's stream of one design."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from cutline.contract.watch_messages import heartbeat_message, reconnect_message
from services.status.lifetime import Lifetime
from services.status.watches import DesignWatch


async def design_messages(
    watch: DesignWatch, *, after_revision: int, heartbeat_s: float, lifetime: Lifetime
) -> AsyncGenerator[bytes, None]:
    """WatchDesignResponse messages, to the end of the design's newest generation, of the design or of the lifetime.

    Args:
        watch: What the hub offers to.
        after_revision: The last revision that the caller has seen.
        heartbeat_s: Longest silence.
        lifetime: When the caller is to come back.

    Raises:
        CutlineError: The watch was failed.
    """
    while True:
        frame = watch.take()
        if frame is not None:
            yield frame.body
            if frame.last:
                return
            after_revision = frame.revision
        elif lifetime.over:
            yield reconnect_message(after_revision)
            return
        elif not await watch.wait(min(heartbeat_s, lifetime.left_s)) and not lifetime.over:
            yield heartbeat_message()

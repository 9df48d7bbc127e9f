"""Waiting for a fact that nobody signals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def eventually(fact: Callable[[], bool], *, within_s: float = 30.0) -> bool:
    """Whether `fact` comes true before the deadline; asks every 20 ms."""
    deadline_s = time.monotonic() + within_s
    while not fact() and time.monotonic() < deadline_s:  # noqa: ASYNC110  (another process makes it true)
        await asyncio.sleep(0.02)
    return fact()

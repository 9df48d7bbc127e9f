"""Waiting for a fact that nobody signals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

_POLL_S: Final = 0.01


async def eventually(fact: Callable[[], bool], *, within_s: float = 30.0) -> bool:
    """Whether `fact` comes true before the deadline."""
    deadline_s = time.monotonic() + within_s
    while not fact() and time.monotonic() < deadline_s:  # noqa: ASYNC110  (another process makes it true)
        await asyncio.sleep(_POLL_S)
    return fact()


async def until(fact: Callable[[], Awaitable[object]], *, within_s: float = 60.0) -> None:
    """Waits until a fact comes true that has to be asked for.

    Raises:
        TimeoutError: It did not.
    """
    try:
        async with asyncio.timeout(within_s):
            while not await fact():  # noqa: ASYNC110  (another process makes it true)
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        error.add_note(f"{fact} did not come true within {within_s:g} s")
        raise

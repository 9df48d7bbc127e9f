"""Waiting for what nobody signals; whoever waits sets the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final, TypeVar

_POLL_S: Final = 0.05

_Found = TypeVar("_Found")


async def until(ask: Callable[[], Awaitable[_Found | None]], *, despite: Collection[type[Exception]] = ()) -> _Found:
    """Asks until the answer is something that counts as true, and gives it.

    Args:
        ask: The question.
        despite: Errors that only mean that it has to be asked again.
    """
    while True:
        with suppress(*despite):
            if found := await ask():
                return found
        await asyncio.sleep(_POLL_S)

"""Both clients of the SDK behind one face, so that one test holds for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, cast

from cutline.client import AsyncClient, Client, ClientSettings, Design

SDK_KINDS: Final = ("asyncio", "threads")

_GENERATORS: Final = {"list", "watch", "watch_all", "watch_stats", "jobs", "dead_letters"}
_END: Final = object()


@asynccontextmanager
async def sdk_client(kind: str, settings: ClientSettings, **options: Any) -> AsyncIterator[AsyncClient]:
    """A client of one kind; that for threads is called in threads, and looks like the other.

    Args:
        kind: One of `SDK_KINDS`.
        settings: Where and as whom.
        **options: More arguments of either.
    """
    if kind == "asyncio":
        async with AsyncClient(settings, **options) as client:
            yield client
        return
    with Client(settings, **options) as client_for_threads:
        yield cast("AsyncClient", _Threaded(client_for_threads))


class _Threaded:
    """Calls what it stands for in threads: methods become coroutines, generators asynchronous ones."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return _Threaded(found) if name in {"designs", "queue"} else found
        return partial(_iterate if name in _GENERATORS else _call, found)


async def _call(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    answer = await asyncio.to_thread(method, *args, **kwargs)
    return _Threaded(answer) if isinstance(answer, Design) else answer


async def _iterate(method: Callable[..., Generator[Any, None, None]], *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
    entries = method(*args, **kwargs)
    try:
        while (entry := await asyncio.to_thread(next, entries, _END)) is not _END:
            yield entry
    finally:
        await asyncio.to_thread(entries.close)

"""The client for threads and the one for asyncio are twins."""

from __future__ import annotations

import inspect
import re
from types import ModuleType
from typing import Any

import pytest

from cutline.client import (
    AsyncClient,
    AsyncDesign,
    AsyncDesigns,
    AsyncQueue,
    Client,
    Design,
    Designs,
    Queue,
    client,
    connection,
    design,
    designs,
    queue,
)

TWINS = [(AsyncClient, Client), (AsyncDesigns, Designs), (AsyncDesign, Design), (AsyncQueue, Queue)]
RENAMED = {
    "AsyncDesigns": "Designs",
    "AsyncDesign": "Design",
    "AsyncConnection": "Connection",
    "httpx.AsyncClient": "httpx.Client",
}
ASYNC_ONLY = {"__aenter__", "__aexit__"}
THREADS_ONLY = {"__enter__", "__exit__"}


def members(kind: type) -> dict[str, Any]:
    """What a class itself defines for its callers, and its constructor."""
    return {
        name: member
        for name, member in vars(kind).items()
        if name == "__init__" or name in ASYNC_ONLY | THREADS_ONLY or not name.startswith("_")
    }


def as_threads(annotation: object) -> str:
    """An annotation of the client for asyncio as its twin has it."""
    text = str(annotation)
    if text.startswith("AsyncGenerator["):
        text = f"Generator[{text.removeprefix('AsyncGenerator[').removesuffix(']')}, None]"
    for name, renamed in RENAMED.items():
        text = text.replace(name, renamed)
    return text


def signature(member: Any, *, renamed: bool) -> list[tuple[str, Any, Any, str]]:
    """Names, kinds, defaults and annotations of parameters and answer."""
    found = inspect.signature(getattr(member, "fget", member))
    read = as_threads if renamed else str
    parameters = [(each.name, each.kind, each.default, read(each.annotation)) for each in found.parameters.values()]
    return [*parameters, ("return", None, None, read(found.return_annotation))]


PAIRS = [
    pytest.param(member, members(for_threads).get(name), id=f"{for_threads.__name__}.{name}")
    for for_asyncio, for_threads in TWINS
    for name, member in members(for_asyncio).items()
    if name not in ASYNC_ONLY
]


@pytest.mark.parametrize(("for_asyncio", "for_threads"), TWINS)
def test_twins_have_the_same_members(for_asyncio: type, for_threads: type) -> None:
    """Neither client can do what the other cannot, beside the two ways to open and close them."""
    assert set(members(for_asyncio)) - ASYNC_ONLY == set(members(for_threads)) - THREADS_ONLY


@pytest.mark.parametrize(("for_asyncio", "for_threads"), PAIRS)
def test_twins_have_the_same_signatures_and_docstrings(for_asyncio: Any, for_threads: Any) -> None:
    """Parameters, defaults, types and every word of help agree; only what is awaited differs."""
    assert signature(for_asyncio, renamed=True) == signature(for_threads, renamed=False)
    assert inspect.getdoc(for_asyncio) == inspect.getdoc(for_threads)


@pytest.mark.parametrize("module", [client, connection, design, designs, queue])
def test_the_client_for_threads_has_no_event_loop(module: ModuleType) -> None:
    """What it does it does in the caller's thread: its modules name neither asyncio nor grpc.aio."""
    assert not re.search(r"\basyncio\.|\bimport asyncio|grpc\.aio|\bawait\b|AsyncClient", inspect.getsource(module))

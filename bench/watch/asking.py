"""Asking a program of this package: a line of JSON in, a line of JSON out, one question at a time.

A program ends when its standard input does, so none outlives the bench, whatever becomes of that.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TextIO

import psutil
import uvloop

from bench.delivery.floor import REPOSITORY

LONGEST_LINE_BYTES: Final = 2**27
"""Ids or receipts of many thousand watchers go in one line."""
_END_S: Final = 20.0

Answer = Callable[..., Awaitable[object]]


class Program:
    """A program that answers questions."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, question: str, **arguments: object) -> Any:
        """The answer to a question.

        Raises:
            RuntimeError: The program has ended; what it said before is on standard error.
        """
        source, sink = self._process.stdout, self._process.stdin
        assert source is not None  # noqa: S101  (both are pipes)
        assert sink is not None  # noqa: S101
        async with self._one_at_a_time:
            sink.write(json.dumps([question, arguments]).encode() + b"\n")
            line = await source.readline()
        if not line:
            msg = f"the program that was asked for {question} has ended"
            raise RuntimeError(msg)
        return json.loads(line)

    def cpu_s(self) -> float:
        """CPU time it has spent so far."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)


@asynccontextmanager
async def program(module: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Program]:
    """Starts `python -m module`; it has ended when the context does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, **(environment or {})},
        limit=LONGEST_LINE_BYTES,
    )
    try:
        yield Program(process)
    finally:
        assert process.stdin is not None  # noqa: S101  (a pipe)
        process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def serve(make: Callable[[], AbstractAsyncContextManager[Mapping[str, Answer]]]) -> None:
    """The whole body of a program: answers the questions on standard input until that ends.

    Args:
        make: Prepares the answers by question, and cleans up behind them.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what is logged must not come between the answers
    uvloop.run(_answer(make, answers))


async def _answer(make: Callable[[], AbstractAsyncContextManager[Mapping[str, Answer]]], sink: TextIO) -> None:
    source = asyncio.StreamReader(limit=LONGEST_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(source), sys.stdin)
    async with make() as answers:
        while line := await source.readline():
            question, arguments = json.loads(line)
            said = await answers[question](**arguments)
            sink.write(json.dumps(said) + "\n")
            sink.flush()


def rest_collector() -> None:
    """Takes what a program holds by now out of the garbage collector's sight: its pauses are not the service's."""
    gc.collect()
    gc.freeze()


class Load:
    """What share of one core a set of programs used between two looks."""

    def __init__(self, cpu_s: Mapping[str, Callable[[], float]]) -> None:
        self._cpu_s = cpu_s
        self._began_s = time.perf_counter()
        self._before = {name: now() for name, now in cpu_s.items()}

    def cores(self) -> dict[str, float]:
        """Cores that each used since this was made."""
        took_s = time.perf_counter() - self._began_s
        return {name: round((now() - self._before[name]) / took_s, 3) for name, now in self._cpu_s.items()}

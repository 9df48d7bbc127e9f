"""Lets go of a call whose caller does not read what it asked for.

HTTP/2 sends a call's trailers behind its messages, and a message waits until the caller makes room for it. A server
that has a message under way to a caller who reads nothing can therefore neither finish nor abort the call:
`context.abort` waits as the message does, and when only the handler ends, gRPC keeps the call, its buffers and its
place on the connection for as long as the caller likes. `grpc.aio` cannot cancel a call from the server's side.

Its core does cancel a call that nobody holds any more: the caller gets CANCELLED, and the stream ends. Two tasks hold
it. One runs the handler; it was started by the other, which waits for the news that the caller is gone. Here a task of
the first kind knows the second one, so that both can be ended. A release of grpc.aio that is built otherwise would
leave such calls to the end of their connection; a test with a caller who never reads tells.

What stays: the server's main loop holds the first and the last call it accepted in local variables, until the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Final

# The coroutine that runs a handler; the task that starts it is the one that waits for the caller.
_RUNS_HANDLER: Final = "_handle_exceptions"


class HandlerTask(asyncio.Task[Any]):
    """The task of a handler.

    Attributes:
        keeper: The task that waits for the news that the caller is gone.
    """

    keeper: asyncio.Task[Any] | None = None

    def let_go(self) -> None:
        """Ends handler and call; the caller gets CANCELLED as soon as the connection can carry it."""
        if self.keeper is not None:
            self.keeper.cancel()
        self.cancel()


def know_handlers(loop: asyncio.AbstractEventLoop) -> None:
    """Has the tasks of handlers on this loop know who keeps their calls; other tasks stay as they are."""
    if loop.get_task_factory() is None:
        loop.set_task_factory(_make_task)


def let_go() -> None:
    """Lets go of the call that the running handler answers; the handler is cancelled at its next await."""
    task = asyncio.current_task()
    if isinstance(task, HandlerTask):
        task.let_go()
    elif task is not None:
        task.cancel()


def _make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any], /, **options: Any
) -> asyncio.Task[Any]:
    if getattr(coroutine, "__name__", "") != _RUNS_HANDLER:
        return asyncio.Task(coroutine, loop=loop, **options)
    task = HandlerTask(coroutine, loop=loop, **options)
    task.keeper = asyncio.current_task(loop)
    return task

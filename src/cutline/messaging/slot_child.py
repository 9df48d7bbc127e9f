"""The process inside a slot: one thread, one job at a time, and it dies with its parent.

Run by `messaging.slot` as `python -m cutline.messaging.slot_child <fd>`. A fresh interpreter and not a fork: the
parent's event loop, sockets and threads are not inherited, and nothing of the service is imported here.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from cutline.domain.errors import CutlineError
from cutline.messaging import slot_frames as frames

_PR_SET_PDEATHSIG: Final = 1
_OPENCV_NO_MEMORY: Final = -4
# All that GEOS says, in an exception of its own.
_CPP_NO_MEMORY: Final = "std::bad_alloc"
# Where memory runs out, the kernel shall take this process and not the one that holds the connections.
_OOM_SCORE: Final = "500"


class CancelledWork(BaseException):
    """The parent wants the run to end; not an Exception, so that no step takes it for a fault of its own."""


class StepReporter:
    """The `StepObserver` that the work calls: reports each step, times it, and ends the run if that is wanted."""

    def __init__(self, end: frames.BlockingEnd) -> None:
        self._end = end
        self.timings: list[tuple[str, int, int, str]] = []
        """Name, begin and end in ns since the epoch, name of the error or empty."""

    @contextmanager
    def __call__(self, name: str, share: float) -> Iterator[None]:
        """Spans a step; `share` is the part of the run done before it, 0 to 1."""
        self._check()
        self._end.send((frames.STEP, name, share))
        begin_ns, error = time.time_ns(), ""
        try:
            yield
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            self.timings.append((name, begin_ns, time.time_ns(), error))

    def _check(self) -> None:
        if self._end.waiting():
            self._end.receive()  # while a run is on, only CANCEL is sent
            raise CancelledWork


def limit_memory(limit_bytes: int) -> None:
    """Bounds what this process may allocate; 0 sets no bound.

    RLIMIT_DATA counts heap and private writable pages, also those of threads. RLIMIT_AS would count address space
    too, of which OpenCV and onnxruntime reserve gigabytes that they never touch.
    """
    if limit_bytes and sys.platform == "linux":
        import resource  # noqa: PLC0415  (POSIX only)

        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def _tie_to_parent(parent_pid: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, "ascii")
    if os.getppid() != parent_pid:  # it died before the line above
        os._exit(1)


def _no_core_dump() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415  (POSIX only)

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "code", None) == _OPENCV_NO_MEMORY:
        return True
    return _CPP_NO_MEMORY in str(error)


def _run(end: frames.BlockingEnd, head: tuple[Any, ...], buffers: list[bytes]) -> None:
    _, function, arguments = head
    reporter = StepReporter(end)
    try:
        value, made = function(reporter, buffers, *arguments)
    except CancelledWork:
        end.send((frames.ERROR, "cancelled", None, "", reporter.timings))
    except CutlineError as error:
        end.send((frames.ERROR, "named", error, "", reporter.timings))
    except Exception as error:  # noqa: BLE001  (whatever it is, the parent decides)
        kind = "memory" if _is_out_of_memory(error) else "unknown"
        end.send((frames.ERROR, kind, None, traceback.format_exc(), reporter.timings))
    else:
        end.send((frames.RESULT, value, reporter.timings), made)


def _resolve(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def main() -> None:
    """Greets, warms up, then runs what it is sent until the parent closes the socket."""
    end = frames.BlockingEnd(socket.socket(fileno=int(sys.argv[1])))
    (_, parent_pid, import_path, warm_up, arguments, memory_limit_bytes), _ = end.receive()
    _tie_to_parent(parent_pid)
    _no_core_dump()
    sys.path[:] = import_path
    try:
        if warm_up:
            _resolve(warm_up)(*arguments)
    except CutlineError as error:
        end.send((frames.ERROR, "named", error, "", []))
        return
    except Exception:  # noqa: BLE001  (the parent says why the slot cannot start)
        end.send((frames.ERROR, "unknown", None, traceback.format_exc(), []))
        return
    limit_memory(memory_limit_bytes)
    gc.collect()
    gc.freeze()  # what the warm-up made lives as long as the process
    end.send((frames.READY,))
    with suppress(frames.ClosedError, ConnectionError):
        while True:
            head, buffers = end.receive()
            if head[0] == frames.RUN:
                _run(end, head, buffers)
                del head, buffers
                gc.collect()  # after the answer: nobody waits for it


if __name__ == "__main__":
    main()

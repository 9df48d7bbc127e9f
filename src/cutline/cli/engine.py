"""The engine in a process of its own, so that hostile artwork costs a command its time and memory and no more.

A renderer that runs out of memory ends its process, and none can be interrupted; the process that runs `main` is the
one that this happens to. Both ends of the pipe are this module, and what crosses are values of the domain.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import traceback
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

from cutline.domain.errors import CutlineError
from cutline.domain.outputs import CutoutMethod, Finding, Geometry, OutputFile, PrintVerdict
from cutline.domain.sticker_spec import ResolvedSpec

MEMORY_LIMIT_BYTES: Final = 4 * 1024**3
"""Heap and private pages the engine may take, as a job of a service may by default; Linux only."""
DEADLINE_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Made:
    """What a run made."""

    geometry: Geometry
    findings: tuple[Finding, ...]
    print_verdict: PrintVerdict
    cutout_method: CutoutMethod
    cutout_confidence: float
    files: tuple[OutputFile, ...]


class EngineMissingError(Exception):
    """A library of the engine is not installed; the message is its name."""


class PressProfileRefusedError(Exception):
    """The press profile is none; the message says why in one sentence without a subject."""


class EngineFaultError(Exception):
    """The engine broke; the message is its traceback."""


class EngineMemoryError(Exception):
    """The artwork needs more memory than it may have, or ended its process."""


class EngineDeadlineError(Exception):
    """The artwork needs more time than it may have."""


def run_engine(data: bytes, spec: ResolvedSpec, press_icc: bytes | None, *, deadline_s: float = DEADLINE_S) -> Made:
    """Makes a sticker in a process of its own.

    Raises:
        CutlineError: The artwork cannot become this sticker.
        EngineMissingError: The engine's libraries are not installed.
        PressProfileRefusedError: The press profile is no such profile.
        EngineDeadlineError: It took longer than `deadline_s`.
        EngineMemoryError: It took more than MEMORY_LIMIT_BYTES, or its process died.
        EngineFaultError: It raised anything else.
    """
    if find_spec("numpy") is None:
        missing = "numpy"
        raise EngineMissingError(missing)
    request = pickle.dumps((data, spec, press_icc, MEMORY_LIMIT_BYTES))
    # -P: nothing that lies in the folder somebody happens to be in is imported.
    command = [sys.executable, "-P", "-c", "from cutline.cli.engine import main; main()"]
    try:
        ended = subprocess.run(  # noqa: S603  (our own interpreter and module)
            command,
            input=request,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # native decoders complain there in words of their own
            timeout=deadline_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineDeadlineError from None
    if not ended.stdout or ended.returncode:
        raise EngineMemoryError
    kind, value = pickle.loads(ended.stdout)  # noqa: S301  (written by `main` below)
    if kind == "made" and isinstance(value, Made):
        return value
    if kind == "named" and isinstance(value, CutlineError):
        raise value
    raise _ERRORS[kind](value)


_ERRORS: Final[dict[str, type[Exception]]] = {
    "missing": EngineMissingError,
    "press": PressProfileRefusedError,
    "memory": EngineMemoryError,
    "fault": EngineFaultError,
}


def main() -> None:
    """The engine's end: one request on standard input, one answer on standard output."""
    answer = sys.stdout.buffer
    data, spec, press_icc, memory_limit_bytes = pickle.load(sys.stdin.buffer)  # noqa: S301  (written by `run_engine`)
    pickle.dump(_answered(data, spec, press_icc, memory_limit_bytes), answer)


def _answered(data: bytes, spec: ResolvedSpec, press_icc: bytes | None, memory_limit_bytes: int) -> tuple[str, Any]:
    try:
        from cutline.imaging.pipeline import process  # noqa: PLC0415  (an extra)
        from cutline.imaging.press_profile import PressProfile, PressProfileError  # noqa: PLC0415  (as above)
    except ModuleNotFoundError as missing:
        return "missing", missing.name
    _limit_memory(memory_limit_bytes)
    try:
        press = PressProfile.read(press_icc) if press_icc is not None else None
        result = process(data, spec, press=press)
    except PressProfileError as error:
        return "press", str(error)
    except CutlineError as error:
        return "named", error
    except MemoryError:
        return "memory", ""
    except Exception as error:  # noqa: BLE001  (the command tells it)
        out_of_memory = "bad_alloc" in str(error) or "OutOfMemory" in str(error) or "Insufficient memory" in str(error)
        return ("memory", "") if out_of_memory else ("fault", traceback.format_exc())
    made = Made(
        geometry=result.geometry,
        findings=result.findings,
        print_verdict=result.print_verdict,
        cutout_method=result.cutout_method,
        cutout_confidence=result.cutout_confidence,
        files=result.files,
    )
    return "made", made


def _limit_memory(limit_bytes: int) -> None:
    if sys.platform == "linux":
        import resource  # noqa: PLC0415  (POSIX only)

        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

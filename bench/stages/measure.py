"""One case in a process of its own: peak memory first, then the pipeline and the codecs in turn.

The floor is what no way around it can save: decoding the upload once and encoding the cutout once, both by Pillow, the
PNG at level 1. It runs in the same process between the runs of the pipeline, so that both see the same machine.
"""

from __future__ import annotations

import gc
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import cv2
import numpy as np
from PIL import Image

from bench.stages.cases import Case
from cutline.domain.outputs import OutputFormat
from cutline.imaging.cutout.model import RembgRemover
from cutline.imaging.model import StickerResult
from cutline.imaging.pipeline import process

_PRACTICE_SIDE_PX: Final = 256
_RESET_HIGH_WATER: Final = "5"
"""What clears a process's high-water mark of resident memory; see proc_pid_clear_refs(5)."""


@dataclass(frozen=True, slots=True)
class StepFigures:
    """Medians of one step in seconds: on the clock, and of all processors together."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class CaseFigures:
    """What was measured of one case; times are medians in seconds.

    Attributes:
        case: The case.
        runs: How many runs of pipeline and floor each.
        route: The cutout method the pipeline took.
        decode_s: The floor's decoding.
        encode_s: The floor's encoding.
        total_s: The pipeline.
        total_cpu_s: Its processor time.
        ratio: Median over the runs of pipeline to floor.
        cpu_ratio: The same of processor time.
        steps: By name, in order.
        files_bytes: Sizes of the files made.
        peak_bytes: Most resident memory above the warmed idle process; None where the system does not tell.
        bytes_per_px: The same for each pixel of the artwork.
    """

    case: Case
    runs: int
    route: str
    decode_s: float
    encode_s: float
    total_s: float
    total_cpu_s: float
    ratio: float
    cpu_ratio: float
    steps: dict[str, StepFigures]
    files_bytes: dict[str, int]
    peak_bytes: int | None


@dataclass(slots=True)
class _Clock:
    """Times what it spans, on the clock and in processor time."""

    wall_s: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def span(self, name: str, _share: float = 0.0) -> Iterator[None]:
        """An observer of the pipeline's steps."""
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        yield
        self.wall_s[name], self.cpu_s[name] = time.perf_counter() - wall_s, time.process_time() - cpu_s


def measure_case(case: Case, artwork: Path, network: Path | None, runs: int, threads: int) -> CaseFigures:
    """Measures one case; to be called in a fresh process.

    Args:
        case: What to measure.
        artwork: Its file.
        network: The background model, for MODEL.
        runs: How often.
        threads: Threads that native libraries may use, as in a slot of the service.

    Raises:
        RuntimeError: The pipeline took another route than the case is about.
    """
    cv2.setNumThreads(threads)
    model = RembgRemover(network, threads=threads) if network else None
    _practise(case, model)
    peak_bytes, result = _peak_bytes(case, artwork, model)
    if result.cutout_method is not case.upload.route:
        msg = f"{case.name}: the pipeline took {result.cutout_method.value}"
        raise RuntimeError(msg)
    data = artwork.read_bytes()
    cutout = Image.open(io.BytesIO(next(file.data for file in result.files if file.kind is OutputFormat.CUTOUT_PNG)))
    cutout.load()
    files_bytes = {file.kind.value: len(file.data) for file in result.files}
    del result
    clocks = []
    for _ in range(runs):
        clock = _Clock()
        _floor(data, cutout, clock)
        with clock.span("total"):
            process(data, case.spec(), observe=clock.span, model=model)
        clocks.append(clock)
    return _figures(case, clocks, files_bytes, peak_bytes)


def _practise(case: Case, model: RembgRemover | None) -> None:
    """Loads what a run needs by making a sticker of a small artwork, as a worker does before its first job."""
    disc = np.full((_PRACTICE_SIDE_PX, _PRACTICE_SIDE_PX, 3), (40, 160, 60), np.uint8)
    cv2.circle(disc, (_PRACTICE_SIDE_PX // 2, _PRACTICE_SIDE_PX // 2), _PRACTICE_SIDE_PX // 3, (200, 90, 40), -1)
    png = io.BytesIO()
    Image.fromarray(disc).save(png, "PNG")
    process(png.getvalue(), case.spec(), model=model)


def _peak_bytes(case: Case, artwork: Path, model: RembgRemover | None) -> tuple[int | None, StickerResult]:
    """The most resident memory of two runs, above that of the warmed idle process, the artwork's file included."""
    gc.collect()
    idle_bytes = _resident_bytes("VmRSS")
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_HIGH_WATER)
    except OSError:
        idle_bytes = None
    process(artwork.read_bytes(), case.spec(), model=model)
    result = process(artwork.read_bytes(), case.spec(), model=model)
    peak_bytes = _resident_bytes("VmHWM")
    return (None if idle_bytes is None or peak_bytes is None else peak_bytes - idle_bytes), result


def _resident_bytes(name: str) -> int | None:
    """A line of /proc/self/status in bytes; None where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)


def _floor(data: bytes, cutout: Image.Image, clock: _Clock) -> None:
    with clock.span("floor_decode"), Image.open(io.BytesIO(data)) as image:
        image.load()
    with clock.span("floor_encode"):
        cutout.save(io.BytesIO(), "PNG", compress_level=1)


def _figures(case: Case, clocks: list[_Clock], files_bytes: dict[str, int], peak_bytes: int | None) -> CaseFigures:
    def middle(name: str, *, cpu: bool = False) -> float:
        return median((clock.cpu_s if cpu else clock.wall_s)[name] for clock in clocks)

    def ratio(times: list[dict[str, float]]) -> float:
        return median(one["total"] / (one["floor_decode"] + one["floor_encode"]) for one in times)

    steps = [name for name in clocks[0].wall_s if name not in {"floor_decode", "floor_encode", "total"}]
    return CaseFigures(
        case=case,
        runs=len(clocks),
        route=case.upload.route.value,
        decode_s=middle("floor_decode"),
        encode_s=middle("floor_encode"),
        total_s=middle("total"),
        total_cpu_s=middle("total", cpu=True),
        ratio=ratio([clock.wall_s for clock in clocks]),
        cpu_ratio=ratio([clock.cpu_s for clock in clocks]),
        steps={name: StepFigures(middle(name), middle(name, cpu=True)) for name in steps},
        files_bytes=files_bytes,
        peak_bytes=peak_bytes,
    )

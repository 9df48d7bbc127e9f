"""What runs in the workers' slots in place of the engines: it follows the order and makes small files."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Sequence
from typing import Final

from bench.faults.orders import Deed, Order
from cutline.domain.artwork import ArtworkLimits
from cutline.domain.outputs import BoxMm, CutoutMethod, Geometry, OutputFormat, PrintVerdict, SizeSource
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.model import StepObserver
from services.imaging.work import Run
from services.mockup.work import Picture, Rendering

STEP_S: Final = 0.02
_BITE_BYTES: Final = 64 * 1024**2
_BOX: Final = BoxMm(0, 0, 60, 60)
_GEOMETRY: Final = Geometry(
    cut_width_mm=60,
    cut_height_mm=60,
    art_width_mm=54,
    art_height_mm=54,
    effective_dpi=300,
    cut_length_mm=188,
    closing_radius_mm=3,
    pieces=1,
    holes=0,
    segments=8,
    size_source=SizeSource.DEFAULT,
    canvas_box=_BOX,
    cut_box=_BOX,
    shape_min_radius_mm=30,
)


def nothing_to_warm(*_arguments: object) -> None:
    """There is nothing to load."""


def imaging(
    observe: StepObserver, buffers: Sequence[bytes], _spec: ResolvedSpec, _limits: ArtworkLimits
) -> tuple[Run, list[bytes]]:
    """Stands for the imaging pipeline."""
    order = Order.decode(buffers[0])
    _follow(observe, order, order.deed)
    # The mockup of it reads the order in turn.
    files = {OutputFormat.CUTOUT_PNG: buffers[0], OutputFormat.REPORT_JSON: b'{"order": %d}' % order.number}
    run = Run(
        geometry=_GEOMETRY,
        findings=(),
        print_verdict=PrintVerdict.PASS,
        cutout_method=CutoutMethod.ALPHA,
        cutout_confidence=1.0,
        files=tuple((kind, hashlib.sha256(data).digest()) for kind, data in files.items()),
    )
    return run, list(files.values())


def mockup(
    observe: StepObserver, buffers: Sequence[bytes], _scenes: tuple[str, ...] | None
) -> tuple[Rendering, list[bytes]]:
    """Stands for the mockup engine: one picture of the scene `peel`."""
    order = Order.decode(buffers[0])
    _follow(observe, order, order.deed_in_mockup)
    data = b"mockup of %d" % order.number
    return Rendering((Picture("peel", "image/png", 1, 1, hashlib.sha256(data).digest()),), ()), [data]


def _follow(observe: StepObserver, order: Order, deed: Deed) -> None:
    end_s = time.monotonic() + order.hold_s
    while (left_s := end_s - time.monotonic()) > 0:
        with observe("hold", 0.1):
            signal.sigtimedwait((), min(left_s, STEP_S))
    with observe("deed", 0.5):
        if not order.cured:
            _do(deed)


def _do(deed: Deed) -> None:
    match deed:
        case Deed.EXIT:
            os._exit(66)
        case Deed.HANG:
            while True:
                signal.pause()
        case Deed.EAT:
            eaten = []
            while True:
                eaten.append(b"x" * _BITE_BYTES)
        case Deed.FILES:
            pass

"""Checks of size: resolution, smallest and largest sticker, the aspect asked for, complexity of the cut."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cutline.domain.outputs import BoxMm, Finding
from cutline.imaging.cut_line.model import box_mm
from cutline.imaging.geometry import MM_PER_INCH
from cutline.imaging.readiness.model import Sticker, failed, not_applicable, passed, warned

DPI_GOOD: Final = 300
DPI_LEAST: Final = 150
SMALL_MM: Final = 20.0
TINY_MM: Final = 10.0
HUGE_MM: Final = 700.0
ASPECT_SHARE: Final = 0.95
SEGMENTS_MANY: Final = 400
SEGMENTS_TOO_MANY: Final = 2000
BUSIEST_MM: Final = 5.0


def resolution(sticker: Sticker) -> Finding:
    """Source pixels per inch of printed art: 300 for print, at least 150."""
    code = "RESOLUTION"
    if sticker.artwork.vector:
        dpi = MM_PER_INCH / sticker.cut_line.mm_per_px
        return not_applicable(code, f"Vector artwork has no pixels of its own; it was rendered at {dpi:.0f} dpi.")
    dpi = sticker.geometry.effective_dpi
    measures = {"value": dpi, "limit": float(DPI_GOOD), "unit": "dpi", "place": sticker.art_box}
    if dpi >= DPI_GOOD - 0.5:
        return passed(code, f"The art has {dpi:.0f} dpi at this size.", **measures)
    longest = sticker.geometry.effective_dpi / DPI_GOOD
    width, height = sticker.geometry.art_width_mm * longest, sticker.geometry.art_height_mm * longest
    fix = f"Upload larger artwork, or print it no larger than {width:.0f} x {height:.0f} mm without its border."
    if dpi >= DPI_LEAST - 0.5:
        return warned(code, f"The art has {dpi:.0f} dpi at this size; edges may look soft.", fix, **measures)
    return failed(code, f"The art has only {dpi:.0f} dpi at this size; pixels will show.", fix, **measures)


def sticker_size(sticker: Sticker) -> Finding:
    """The finished size: small stickers are hard to cut, weed and peel, very large ones do not fit the machine."""
    code = "STICKER_SIZE"
    box = sticker.cut_line.cut_box
    shorter, longer = sorted((box.width_mm, box.height_mm))
    measures = {"value": shorter, "limit": SMALL_MM, "unit": "mm", "place": box}
    if shorter < TINY_MM:
        return failed(code, f"The sticker is only {shorter:.1f} mm across.", "Make it larger.", **measures)
    if shorter < SMALL_MM:
        message = f"The sticker is {shorter:.1f} mm across; it is hard to peel."
        return warned(code, message, f"Make it at least {SMALL_MM:g} mm across.", **measures)
    if longer > HUGE_MM:
        measures |= {"value": longer, "limit": HUGE_MM}
        message = f"The sticker is {longer:.0f} mm long; many cutters end before that."
        return warned(code, message, "Ask the shop for its largest format.", **measures)
    return passed(code, f"The sticker is {box.width_mm:.1f} x {box.height_mm:.1f} mm.", **measures)


def aspect_ratio(sticker: Sticker) -> Finding:
    """Whether width and height asked for fit the art's own proportions."""
    code = "ASPECT_RATIO"
    spec, box = sticker.spec, sticker.cut_line.cut_box
    if spec.width_mm is None or spec.height_mm is None:
        return not_applicable(code, "Not both width and height were asked for.")
    share = min(box.width_mm / spec.width_mm, box.height_mm / spec.height_mm)
    measures = {"value": round(share, 3), "limit": ASPECT_SHARE, "unit": "ratio", "place": box}
    got = f"{box.width_mm:.1f} x {box.height_mm:.1f} mm"
    if share >= ASPECT_SHARE:
        return passed(code, f"The art's proportions fit the size asked for: {got}.", **measures)
    message = f"{spec.width_mm:g} x {spec.height_mm:g} mm was asked for; the art's proportions make it {got}."
    return warned(code, message, "Ask for one side only, or crop the artwork to the proportions you want.", **measures)


def cut_complexity(sticker: Sticker) -> Finding:
    """Number of curve segments: a blade stutters along a line of very many."""
    code = "CUT_COMPLEXITY"
    segments = sticker.geometry.segments
    measures: dict[str, Any] = {"value": float(segments), "limit": float(SEGMENTS_MANY), "unit": "segments"}
    measures["place"] = _busiest(np.concatenate([path.control[:, 0] for _, path in sticker.cut_line.paths]))
    fix = "Use more smoothing or a larger border."
    if not sticker.artwork.vector and (dpi := sticker.geometry.effective_dpi) < DPI_GOOD - 0.5:
        fix = f"At {dpi:.0f} dpi the line follows single pixels: upload larger artwork or print it smaller."
    if segments > SEGMENTS_TOO_MANY:
        return failed(code, f"The cut line has {segments} segments; no cutter follows it cleanly.", fix, **measures)
    if segments > SEGMENTS_MANY:
        return warned(code, f"The cut line has {segments} segments; cutting is slow and may be rough.", fix, **measures)
    return passed(code, f"The cut line has {segments} segments.", **measures)


def _busiest(nodes: NDArray[np.float64]) -> BoxMm:
    """Where the most nodes of the line crowd: the square of a tenth of the sticker, at least 5 mm, that holds most."""
    side_mm = max(BUSIEST_MM, float(np.ptp(nodes, axis=0).max()) / 10)
    cells, members, counts = np.unique(np.floor(nodes / side_mm), axis=0, return_inverse=True, return_counts=True)
    inside = nodes[members.ravel() == int(np.argmax(counts))]
    x, y = cells[int(np.argmax(counts))] * side_mm
    return (
        box_mm((x, y, x + side_mm, y + side_mm))
        if len(inside) < 2
        else box_mm((*inside.min(axis=0), *inside.max(axis=0)))
    )

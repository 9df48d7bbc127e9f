"""SVG to pixels through resvg, at the size that printing asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import resvg_py

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.decode.bounds import refuse_as_too_large
from cutline.imaging.decode.media_type import SVG
from cutline.imaging.decode.raster import decode_raster
from cutline.imaging.decode.svg_filter import SafeSvg, filter_svg, local_name, parse
from cutline.imaging.model import Artwork

PROBE_PX: Final = 512
"""Longer side of the first, cheap render that tells how much of its canvas the art takes."""
SvgSizer = Callable[[Artwork], int]
"""Answers the longer side in px a document is to be rendered at, given a small render of it."""
_DEFAULT_TARGET_PX: Final = 2_048
_MOST_PX: Final = 1e9
_PX_PER_UNIT: Final = {
    "": 1.0,
    "px": 1.0,
    "pt": 96 / 72,
    "pc": 16.0,
    "mm": 96 / 25.4,
    "cm": 96 / 2.54,
    "in": 96.0,
    "q": 96 / 101.6,
    "em": 16.0,
    "rem": 16.0,
    "ex": 8.0,
}
_LENGTH: Final = re.compile(r"\s*+([+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?)\s*+([a-zA-Z]*+)\s*+")


@dataclass(frozen=True, slots=True)
class _Canvas:
    """The root's own size in px at 96 per inch, and the view box it states or implies, of so many units."""

    width: float
    height: float
    view_box: str
    units: float
    is_view_box_shaped: bool


def svg_size(data: bytes) -> tuple[int, int]:
    """The document's own width and height in px at 96 per inch, at least 1 each.

    Raises:
        ArtworkError: ARTWORK_UNREADABLE where the root element states no usable size, ARTWORK_TOO_LARGE where it is
            beyond any.
    """
    canvas = _canvas(data)
    return max(1, round(canvas.width)), max(1, round(canvas.height))


def decode_svg(data: bytes, *, limits: ArtworkLimits, target_px: int | SvgSizer | None) -> Artwork:
    """Renders the document so that its longer side is `target_px`, or as near as the limits allow.

    Where `target_px` is a function, it is given a render of PROBE_PX and answers the longer side. A document whose
    filters would take too long or too much memory at that size is rendered down to half as large.

    Raises:
        ArtworkError: ARTWORK_UNREADABLE, or ARTWORK_TOO_LARGE for a document that grows beyond bounds.
    """
    canvas = _canvas(data)
    document = filter_svg(data, limits=limits, canvas_units=canvas.units)
    if callable(target_px):
        target_px = target_px(_rendered(document, canvas, PROBE_PX, limits))
    return _rendered(document, canvas, target_px or _DEFAULT_TARGET_PX, limits)


def _rendered(document: SafeSvg, canvas: _Canvas, target_px: int, limits: ArtworkLimits) -> Artwork:
    width_px, height_px = _render_size(canvas, target_px, limits)
    share = document.load.affordable_share(max(width_px, height_px) / canvas.units, width_px * height_px)
    if share < 1:
        width_px, height_px = _render_size(canvas, max(1, round(max(width_px, height_px) * share)), limits)
    root_attributes = {"width": str(width_px), "height": str(height_px), "viewBox": canvas.view_box}
    if canvas.is_view_box_shaped:
        # Rounding to whole px bends the shape by less than half of one; letterboxing would leave a translucent row.
        root_attributes["preserveAspectRatio"] = "none"
    try:
        png = resvg_py.svg_to_bytes(svg_string=document.sized(root_attributes), skip_system_fonts=True)
    except ValueError as error:
        raise _unrenderable() from error
    except BaseException as error:
        # A panic of the renderer arrives as a BaseException of its own that no module exports.
        if type(error).__name__ != "PanicException":
            raise
        raise _unrenderable() from error
    return replace(decode_raster(png, "image/png"), media_type=SVG, vector=True)


def _unrenderable() -> ArtworkError:
    return ArtworkError(
        Reason.ARTWORK_UNREADABLE, "The SVG cannot be rendered; export it again, as plain SVG with simple shapes."
    )


def _render_size(canvas: _Canvas, target_px: int, limits: ArtworkLimits) -> tuple[int, int]:
    longer, shorter = max(canvas.width, canvas.height), min(canvas.width, canvas.height)
    most_px = min(limits.max_side_px, math.isqrt(int(limits.max_pixels * longer / shorter)))
    scale = max(1, min(target_px, most_px)) / longer
    return max(1, round(canvas.width * scale)), max(1, round(canvas.height * scale))


def _canvas(data: bytes) -> _Canvas:
    root = _root_attributes(data)
    box = _view_box(root.get("viewBox", ""))
    width, height = _length_px(root.get("width", "")), _length_px(root.get("height", ""))
    if box is not None:
        # A side that is not stated, or is a percentage of some page, follows the view box.
        _, _, box_width, box_height = box
        if width is None and height is None:
            width, height = box_width, box_height
        elif width is None and height is not None:
            width = height * box_width / box_height
        elif height is None and width is not None:
            height = width * box_height / box_width
    if width is None or height is None:
        raise ArtworkError(
            Reason.ARTWORK_UNREADABLE,
            "The SVG states no size: its root element needs a viewBox, or a width and a height above 0.",
        )
    x, y, box_width, box_height = box or (0.0, 0.0, width, height)
    return _Canvas(
        width,
        height,
        units=max(box_width, box_height),
        view_box=f"{x:.9g} {y:.9g} {box_width:.9g} {box_height:.9g}",
        is_view_box_shaped=math.isclose(width * box_height, height * box_width, rel_tol=1e-3),
    )


class _RootFoundError(Exception):
    """Ends the parse at the root element."""


def _root_attributes(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        if local_name(name) == "svg":
            found.update(attributes)
        raise _RootFoundError

    try:
        parse(data, start=start, end=lambda _name: None, text=lambda _text: None, whole=False)
    except _RootFoundError:
        return found
    raise ArtworkError(Reason.ARTWORK_UNREADABLE, "The SVG ends before its root element.")


def _length_px(text: str) -> float | None:
    match = _LENGTH.fullmatch(text)
    if match is None:
        return None
    factor = _PX_PER_UNIT.get(match[2].lower())
    if factor is None:
        return None
    return _usable(float(match[1]) * factor)


def _view_box(text: str) -> tuple[float, float, float, float] | None:
    try:
        x, y, width, height = (float(part) for part in re.split(r"[\s,]+", text.strip()))
    except ValueError:
        return None
    if not (math.isfinite(x) and math.isfinite(y)) or _usable(width) is None or _usable(height) is None:
        return None
    return x, y, width, height


def _usable(length: float) -> float | None:
    if length >= _MOST_PX:
        refuse_as_too_large(f"an SVG of size {length:.6g}", f"{_MOST_PX:,.0f} px a side")
    return length if math.isfinite(length) and length > 1e-6 else None

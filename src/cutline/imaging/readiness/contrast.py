"""The check of contrast: the art against its border, or without one against what fills its gaps."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, STRtree

from cutline.domain.outputs import CutoutMethod, Finding
from cutline.imaging.appearance import color_difference, on_paper
from cutline.imaging.cut_line.model import box_mm
from cutline.imaging.exports.ink import NO_COLOR, PAPER_WHITE
from cutline.imaging.readiness.edge_colors import EdgeSamples
from cutline.imaging.readiness.edges import PAPER_DELTA_E
from cutline.imaging.readiness.model import OPAQUE, Sticker, failed, not_applicable, passed, warned
from cutline.imaging.shapes import filled, opened, polygons_of

CONTRAST_DELTA_E: Final = 8.0
CONTRAST_SHARE: Final = 0.3
BLANK_EDGE_SHARE: Final = 0.95
BLANK_ART_SHARE: Final = 0.5
"""Both must be like the border: art with an outline in the border's colour is no blank sticker."""
FILLED_SHARE: Final = 0.03
SLIVER_MM: Final = 1.0
"""Narrower fillings, as in the notches of a star, change no shape."""
_COARSE_MM: Final = 0.02
_BESIDE_MM: Final = 0.2
_PLAIN_DELTA_E: Final = 25.0
"""What a colour that is suggested differs from the border's at least."""
_COLORS: Final = ("#202020", PAPER_WHITE)
_GRID_PX: Final = 512
_MOST_SAMPLES: Final = 2_000


def edge_contrast(sticker: Sticker) -> Finding:
    """Whether the art can be told from the border, such as white art on a white border, or from what fills its gaps."""
    code, spec = "EDGE_CONTRAST", sticker.spec
    if spec.border_mm <= 0:
        return _gaps_filled(code, sticker)
    border = PAPER_WHITE if spec.border_color == NO_COLOR else spec.border_color
    edge = EdgeSamples.along(sticker.outline.art, sticker.cutout.rgba)
    edge = edge.of(edge.rgba[:, 3] >= OPAQUE)
    if not len(edge.rgba):
        return not_applicable(code, "The art has no opaque edge to compare.")
    alike = color_difference(edge.rgba[:, :3], _rgb(border)) < CONTRAST_DELTA_E
    share = round(float(alike.mean()), 3)
    measures: dict[str, Any] = {"value": share, "limit": CONTRAST_SHARE, "unit": "ratio"}
    if share <= CONTRAST_SHARE:
        return passed(code, "The art stands out from its border.", **measures)
    if (run := edge.longest_run_px(alike)) is not None:
        measures["place"] = sticker.cut_line.place_px(run)
    message = f"{100 * share:.0f} % of the art's edge has nearly the colour of the border."
    another = f"Choose another border colour, such as {_another_color(border, sticker)}, or "
    art_share = _alike_share(border, sticker) if share >= BLANK_EDGE_SHARE else 0.0
    if art_share < BLANK_ART_SHARE:
        return warned(code, message, f"{another}give the art an outline.", **measures)
    message = f"{message[:-1]}, as {100 * art_share:.0f} % of the art has: most of it does not show."
    is_cut_out = sticker.cutout.method is not CutoutMethod.ALPHA
    remedy = "keep the background with the cutout method ALPHA." if is_cut_out else "give the art an outline."
    return failed(code, message, another + remedy, **measures)


def _alike_share(border: str, sticker: Sticker) -> float:
    """Share of the opaque art that has nearly the border's colour, on a coarse grid."""
    rgba = sticker.cutout.rgba
    every = max(1, max(rgba.shape[:2]) // _GRID_PX)
    pixels = rgba[::every, ::every].reshape(-1, 4)
    opaque = pixels[pixels[:, 3] >= OPAQUE, :3]
    return float((color_difference(opaque, _rgb(border)) < CONTRAST_DELTA_E).mean()) if len(opaque) else 0.0


def _another_color(border: str, sticker: Sticker) -> str:
    """A colour that differs from the border's: the artwork's background where it is no clear one, or dark, or white."""
    rgba = sticker.artwork.rgba
    rim = np.concatenate([rgba[0], rgba[-1], rgba[:, 0], rgba[:, -1]])
    red, green, blue = (int(level) for level in np.median(rim[:, :3], axis=0))
    colors = list(_COLORS)
    if (rim[:, 3] >= OPAQUE).all():
        colors.insert(0, f"#{red:02x}{green:02x}{blue:02x}")
    for color in colors:
        if color_difference(_rgb(color), _rgb(border))[0] >= _PLAIN_DELTA_E:
            return color
    return PAPER_WHITE


def _rgb(color: str) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(color[1:]), np.uint8)[None]


def _gaps_filled(code: str, sticker: Sticker) -> Finding:
    """What closing, bridges and hulls take in besides the art has the art's own edge colours where no border is."""
    face = sticker.cut_line.outer_face
    gaps = _gaps(sticker)
    share = round(gaps.area / face.area, 3)
    measures: dict[str, Any] = {"value": share, "limit": FILLED_SHARE, "unit": "ratio"}
    if share <= FILLED_SHARE:
        return passed(code, "There is no border, and hardly a gap of the art is filled.", **measures)
    message = (
        f"{100 * share:.0f} % of the sticker is gaps between parts of the art, filled with the colours beside them; "
        "lettering and fine shapes cannot be read there."
    )
    fix = "Use a border, which sets the parts off, or cut them apart with the island policy KEEP and no smoothing."
    return warned(code, message, fix, **measures, place=box_mm(gaps.geoms[0].bounds))


def _gaps(sticker: Sticker) -> MultiPolygon:
    """Places inside the cut and beside the art, wider than slivers, where ink shows; largest first."""
    face = sticker.cut_line.outer_face
    beside = polygons_of(face.difference(filled(sticker.cut_line.art)).simplify(_COARSE_MM))
    if beside.area <= FILLED_SHARE * face.area:
        return beside
    return _printed(opened(beside, SLIVER_MM / 2, sagitta_mm=_COARSE_MM), sticker)


def _printed(gaps: MultiPolygon, sticker: Sticker) -> MultiPolygon:
    """The gaps without those that mostly paper white is carried into, such as a white outline's."""
    edge = EdgeSamples.along(sticker.outline.art, sticker.cutout.rgba)
    if not len(edge.rgba) or gaps.is_empty:
        return gaps
    scale = sticker.cut_line.mm_per_px
    if len(edge.rgba) > _MOST_SAMPLES:
        edge = edge.of(np.arange(len(edge.rgba)) % (len(edge.rgba) // _MOST_SAMPLES + 1) == 0)
    points = shapely.points(edge.points_px * scale + sticker.cut_line.canvas_origin_mm)
    reach_mm = _BESIDE_MM + 3 * scale
    at, gap = STRtree(list(gaps.geoms)).query_nearest(points, max_distance=reach_mm, all_matches=False)
    shows = color_difference(on_paper(edge.rgba), _rgb(PAPER_WHITE)) >= PAPER_DELTA_E
    looked_at = np.bincount(gap, minlength=len(gaps.geoms))
    shown = np.bincount(gap, weights=shows[at], minlength=len(gaps.geoms))
    return MultiPolygon([part for index, part in enumerate(gaps.geoms) if shown[index] >= looked_at[index] / 2])

"""Checks of what the sticker is made of: islands, holes, specks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from cutline.domain.outputs import Finding
from cutline.domain.sticker_spec import IslandPolicy
from cutline.imaging.cut_line.holes import MIN_WALL_MM, blade_shape, holds_art
from cutline.imaging.cut_line.islands import BRIDGE_MAX_GAP_MM, JOINED_PIECES_MAX
from cutline.imaging.cut_line.model import CutLine, Join, JoinKind, box_mm
from cutline.imaging.readiness.model import Sticker, not_applicable, passed, warned
from cutline.imaging.specks import around

SPECKS_MM2: Final = 0.1


def islands(sticker: Sticker) -> Finding:
    """Separate pieces: joined, or loose when peeled."""
    code, cut_line = "ISLANDS", sticker.cut_line
    pieces = len(cut_line.finished)
    measures = {"value": float(pieces), "limit": 1.0, "unit": "pieces"}
    if pieces > 1:
        message = f"The sticker falls into {pieces} loose pieces."
        fix = "Use the island policy BRIDGE or HULL, or a larger border."
        return warned(code, message, fix, **measures, place=box_mm(cut_line.finished[-1].box))
    worst = [join for kind in (JoinKind.HULL, JoinKind.BRIDGE) for join in cut_line.joins if join.kind is kind]
    if worst and worst[0].kind is JoinKind.HULL:
        return _hulled(code, worst[0], sticker, measures)
    if worst:
        message = f"{len(worst)} gap(s) of up to {max(join.gap_mm for join in worst):.1f} mm were bridged."
        fix = "Look at the bridges in the preview; move the pieces closer together to avoid them."
        return warned(code, message, fix, **measures, place=box_mm(worst[0].box))
    if cut_line.joins:
        return passed(code, "The pieces of art were close enough to grow together.", **measures)
    return passed(code, "The sticker is one piece.", **measures)


def _hulled(code: str, join: Join, sticker: Sticker, measures: dict[str, Any]) -> Finding:
    """One outline around all pieces: as asked for, for a gap that no bridge spans, or for their number."""
    if sticker.spec.island_policy is IslandPolicy.HULL:
        return passed(code, "One outline lies around all of the art, as the island policy HULL asks for.", **measures)
    if join.gap_mm > BRIDGE_MAX_GAP_MM:
        message = (
            f"Pieces of the art lie too far apart for a bridge: {join.gap_mm:.1f} mm, where {BRIDGE_MAX_GAP_MM:g} mm "
            "are the most. One outline lies around all of them."
        )
        fix = "Move the pieces closer together, or use the island policy KEEP."
    else:
        message = (
            f"The art has more than {JOINED_PIECES_MAX} separate parts, too many to bridge. "
            "One outline lies around all of them."
        )
        fix = "Use a larger border, so that parts grow together, or the island policy KEEP."
    return warned(code, message, fix, **measures, place=box_mm(join.box))


def holes(sticker: Sticker) -> Finding:
    """Inner cuts that were asked for and could not be made."""
    code, cut_line = "HOLES", sticker.cut_line
    in_art = sum(len(part.interiors) for part in cut_line.art.geoms)
    if not sticker.spec.inner_cuts:
        if not in_art:
            return not_applicable(code, "The art has no holes.")
        return passed(code, f"{in_art} hole(s) of the art are not cut out.", value=0.0, limit=0.0, unit="holes")
    if not in_art:
        return not_applicable(code, "The art has no holes to cut.")
    lost = len(cut_line.holes_lost)
    measures = {"value": float(lost), "limit": 0.0, "unit": "holes"}
    if not lost:
        return passed(code, f"Every hole of the art is cut out: {cut_line.holes_wanted} in all.", **measures)
    why, fix = _why_lost(sticker)
    message = f"{lost} of {cut_line.holes_wanted} hole(s) are not cut out: {why}."
    return warned(code, message, fix, **measures, place=box_mm(cut_line.holes_lost[0].bounds))


def _why_lost(sticker: Sticker) -> tuple[str, str]:
    """What keeps the first of the lost holes from being cut, and what would help."""
    spec, hole = sticker.spec, sticker.cut_line.holes_lost[0]
    if holds_art(hole, sticker.cut_line.art):
        return (
            "a piece of the art lies inside, and it would fall out",
            "Remove the piece inside the hole, join it to the art around it, or leave the hole printed.",
        )
    if blade_shape(hole, spec):
        return (
            f"less than {MIN_WALL_MM:g} mm of the sticker would stay between the hole and its edge, or another hole",
            "Use a larger border, move the hole inwards, or leave it printed.",
        )
    if spec.border_mm > 0 and blade_shape(hole, replace(spec, border_mm=0.0)):
        return "too small once the border is taken off", "Use a smaller border, or leave the hole printed."
    return (
        f"too small for a blade that keeps a radius of {spec.min_radius_mm:g} mm",
        "Make the hole or the sticker larger, use a smaller min_radius_mm, or leave the hole printed.",
    )


def specks(sticker: Sticker) -> Finding:
    """Pieces of art too small to be more than dirt, which the cut line goes past; those inside it are printed."""
    code, cut_line = "SPECKS", sticker.cut_line
    lost = sticker.outline.specks.of(~_inside(sticker.outline.specks.boxes_px, cut_line))
    if not len(lost):
        return passed(code, "No speck of the art lies outside the cut line.", value=0.0, limit=SPECKS_MM2, unit="mm2")
    area = round(float(lost.areas_px.sum()) * cut_line.mm_per_px**2, 2)
    measures = {"value": area, "limit": SPECKS_MM2, "unit": "mm2", "place": cut_line.place_px(around(lost.boxes_px))}
    message = f"{len(lost)} speck(s), {area:g} mm2 together, lie outside the cut line and are cut off."
    if area < SPECKS_MM2:
        return passed(code, message, **measures)
    return warned(code, message, "If they belong to the art, make them larger or move them next to it.", **measures)


def _inside(boxes_px: NDArray[np.float64], cut_line: CutLine) -> NDArray[np.bool_]:
    """Which boxes, of shape (n, 4), lie with all four corners on the finished sticker."""
    corners_px = boxes_px[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    corners = corners_px * cut_line.mm_per_px + cut_line.canvas_origin_mm
    face = cut_line.face
    shapely.prepare(face)
    return np.asarray(shapely.contains_xy(face, corners[..., 0], corners[..., 1]).all(axis=1))

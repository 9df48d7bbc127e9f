"""Checks along the cut: bleed, safe zone, radius, thin parts, art lost to the blade."""

from __future__ import annotations

from typing import Final

import numpy as np
import shapely
from shapely import MultiPolygon

from cutline.domain.outputs import BoxMm, Finding
from cutline.imaging.cut_line.border import is_opened
from cutline.imaging.cut_line.model import box_mm
from cutline.imaging.exports.ink import NO_COLOR, PAPER_WHITE
from cutline.imaging.readiness.model import Sticker, failed, not_applicable, passed, warned
from cutline.imaging.shapes import opened, polygons_of

MEASURING_MM: Final = 0.05
"""What a measure may miss its limit by: the cut line itself is no more exact."""
BLEED_LEAST_MM: Final = 1.0
THIN_MM: Final = 3.0
FRAIL_MM: Final = 1.0
THIN_STEPS_MM: Final = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
LOST_MM: Final = 0.1
LOST_MUCH_MM: Final = 3.0
LOST_MUCH_SHARE: Final = 0.05
_COARSE_MM: Final = 0.02


def bleed(sticker: Sticker) -> Finding:
    """Print beyond the cut hides the cutter's tolerance."""
    code, spec = "BLEED", sticker.spec
    full_bleed = spec.border_mm <= 0
    if not full_bleed and spec.border_color in (NO_COLOR, PAPER_WHITE):
        return not_applicable(code, "The border is unprinted, so there is nothing to bleed.")
    measures = {"value": spec.bleed_mm, "limit": BLEED_LEAST_MM, "unit": "mm"}
    what = "The art" if full_bleed else "The border colour"
    if spec.bleed_mm >= BLEED_LEAST_MM:
        return passed(code, f"{what} is printed {spec.bleed_mm:g} mm beyond the cut.", **measures)
    fix = "Set bleed_mm to 2, or at least 1."
    message = f"{what} is printed only {spec.bleed_mm:g} mm beyond the cut; white edges may show."
    return (failed if full_bleed and spec.bleed_mm == 0 else warned)(code, message, fix, **measures)


def safe_zone(sticker: Sticker) -> Finding:
    """Distance of the art from the cut: what lies nearer may be cut off."""
    code, spec, cut_line = "SAFE_ZONE", sticker.spec, sticker.cut_line
    limit = spec.safe_zone_mm
    if limit == 0:
        return not_applicable(code, "No safe zone was asked for.")
    if spec.border_mm <= 0:
        return warned(
            code,
            "The art runs to the cut on purpose; text and fine detail near it may be cut off.",
            f"Keep what matters {limit:g} mm inside the cut, or add a border.",
            value=0.0,
            limit=limit,
            unit="mm",
            place=cut_line.cut_box,
        )
    nearest = shapely.shortest_line(cut_line.face.boundary, cut_line.art)
    distance = round(float(nearest.length), 2)
    measures = {"value": distance, "limit": limit, "unit": "mm", "place": box_mm(nearest.bounds)}
    if distance >= limit - MEASURING_MM:
        return passed(code, f"The art keeps {distance:.1f} mm from the cut.", **measures)
    fix = f"Use a border of at least {limit:g} mm."
    message = f"The art comes within {distance:.1f} mm of the cut; {limit:g} mm should be kept."
    return (failed if distance < limit / 2 - MEASURING_MM else warned)(code, message, fix, **measures)


def min_radius(sticker: Sticker) -> Finding:
    """Smallest radius of the emitted curves."""
    code, spec = "MIN_RADIUS", sticker.spec
    radius, x, y = min((path.tightest for _, path in sticker.cut_line.paths), key=lambda found: found[0])
    limit = spec.min_radius_mm
    own = sticker.cut_line.shape_min_radius_mm
    measures = {"value": round(radius, 3), "limit": limit, "unit": "mm", "place": _around(x, y, max(limit, 0.5))}
    before = "sharp" if own == 0 else f"{own:.1f} mm"
    if limit == 0:
        return not_applicable(code, f"No least radius was asked for; the tightest corner has {radius:.1f} mm.")
    if radius >= limit - MEASURING_MM:
        message = f"The tightest corner has a radius of {radius:.1f} mm; in the shape itself it is {before}."
        return passed(code, message, **measures)
    message = f"The tightest corner has a radius of {radius:.2f} mm; the blade needs {limit:g} mm."
    fix = "Use more smoothing or a larger border."
    return (failed if radius < limit / 2 else warned)(code, message, fix, **measures)


def thin_parts(sticker: Sticker) -> Finding:
    """Parts of the sticker so narrow that they tear when it is peeled."""
    code = "THIN_PARTS"
    face = polygons_of(sticker.cut_line.face.simplify(_COARSE_MM))
    if not _thin(face, THIN_MM).geoms:
        return passed(code, f"No part is narrower than {THIN_MM:g} mm.", limit=THIN_MM, unit="mm")
    width, parts = next((step, found) for step in THIN_STEPS_MM if (found := _thin(face, step)).geoms)
    measures = {"value": width, "limit": THIN_MM, "unit": "mm", "place": box_mm(parts.geoms[0].bounds)}
    message = f"The narrowest part is at most {width:g} mm wide; it may tear or curl."
    fix = "Use a larger border or more smoothing."
    return (failed if width <= FRAIL_MM else warned)(code, message, fix, **measures)


def _thin(face: MultiPolygon, width_mm: float) -> MultiPolygon:
    """Parts that a disc of that width does not reach; mere corners are left out."""
    reached = opened(face, width_mm / 2, sagitta_mm=_COARSE_MM)
    rest = polygons_of(face.difference(reached.buffer(0.2 * width_mm, quad_segs=4)))
    return MultiPolygon([part for part in rest.geoms if part.area > 0.2 * width_mm**2])


def art_lost(sticker: Sticker) -> Finding:
    """Tips and threads of the art that fall outside the cut, because the blade cannot follow them."""
    code, cut_line = "ART_LOST", sticker.cut_line
    if not is_opened(sticker.spec):
        return not_applicable(code, "The border rounds every corner; no art is cut off.")
    points = shapely.get_coordinates(cut_line.wanted)
    face = cut_line.outer_face
    shapely.prepare(face)
    outside = points[~shapely.contains_xy(face, points)]
    distances = shapely.distance(face, shapely.points(outside)) if len(outside) else np.zeros(1)
    depth = round(float(distances.max()), 2)
    measures = {"value": depth, "limit": LOST_MM, "unit": "mm"}
    if depth <= LOST_MM:
        return passed(code, "Corner rounding cuts nothing off.", **measures)
    x, y = outside[int(np.argmax(distances))]
    measures["place"] = _around(float(x), float(y), depth)
    share = cut_line.wanted.difference(face).area / cut_line.wanted.area
    message = f"Rounding corners for the blade cuts up to {depth:.1f} mm off tips ({100 * share:.1f} % of the area)."
    fix = f"Use a border of at least {sticker.spec.min_radius_mm:g} mm, or a smaller min_radius_mm."
    much = depth > LOST_MUCH_MM or share > LOST_MUCH_SHARE
    return (failed if much else warned)(code, message, fix, **measures)


def _around(x: float, y: float, reach_mm: float) -> BoxMm:
    return box_mm((x - reach_mm, y - reach_mm, x + reach_mm, y + reach_mm))

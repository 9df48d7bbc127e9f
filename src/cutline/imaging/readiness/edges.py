"""Checks along the cut: bleed, safe zone, radius, art lost to the blade."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import shapely
from shapely import affinity

from cutline.domain.outputs import BoxMm, Finding
from cutline.imaging.appearance import color_difference, on_paper
from cutline.imaging.cut_line.border import is_opened
from cutline.imaging.cut_line.model import box_mm
from cutline.imaging.exports.ink import NO_COLOR, PAPER_WHITE
from cutline.imaging.readiness.edge_colors import EdgeSamples
from cutline.imaging.readiness.model import Sticker, failed, not_applicable, passed, warned
from cutline.imaging.shapes import polygons_of

MEASURING_MM: Final = 0.05
"""What a measure may miss its limit by: the cut line itself is no more exact."""
BLEED_LEAST_MM: Final = 1.0
PAPER_DELTA_E: Final = 8.0
"""What a colour differs from paper by before a missing bleed shows."""
PAPER_SHARE: Final = 0.02
BARE_SHARE: Final = 0.3
WIDEST_MM: Final = 10_000.0
"""A straight line has no radius; it is told as this one."""
BLADE_MM: Final = 1.0
"""Radius a blade follows; what the line is held to where no least radius was asked for."""
_PAPER: Final = np.full((1, 3), 255, np.uint8)
LOST_MM: Final = 0.1
LOST_MUCH_MM: Final = 3.0
LOST_MUCH_SHARE: Final = 0.05


def bleed(sticker: Sticker) -> Finding:
    """Print beyond the cut hides the cutter's tolerance."""
    code, spec = "BLEED", sticker.spec
    full_bleed = spec.border_mm <= 0
    if not full_bleed and spec.border_color in (NO_COLOR, PAPER_WHITE):
        return not_applicable(code, "The border is unprinted, so there is nothing to bleed.")
    measures: dict[str, Any] = {"value": spec.bleed_mm, "limit": BLEED_LEAST_MM, "unit": "mm"}
    what = "The art" if full_bleed else "The border colour"
    if spec.bleed_mm >= BLEED_LEAST_MM:
        return passed(code, f"{what} is printed {spec.bleed_mm:g} mm beyond the cut.", **measures)
    share, place = _shown_against_paper(sticker) if full_bleed else (1.0, sticker.cut_line.cut_box)
    if share <= PAPER_SHARE:
        return passed(code, "The art is paper white at the cut, where no bleed is needed.", **measures)
    fix = "Set bleed_mm to 2, or at least 1."
    message = f"{what} is printed only {spec.bleed_mm:g} mm beyond the cut; white edges may show."
    bare = full_bleed and spec.bleed_mm == 0 and share > BARE_SHARE
    return (failed if bare else warned)(code, message, fix, **measures, place=place)


def _shown_against_paper(sticker: Sticker) -> tuple[float, BoxMm]:
    """Share of the cut along which the print differs from paper, and where the longest stretch of that lies."""
    cut_line = sticker.cut_line
    x_mm, y_mm = cut_line.canvas_origin_mm
    to_px = 1 / cut_line.mm_per_px
    face_px = affinity.affine_transform(cut_line.outer_face, [to_px, 0, 0, to_px, -x_mm * to_px, -y_mm * to_px])
    edge = EdgeSamples.along(face_px, sticker.cutout.rgba)
    if not len(edge.rgba):
        return 1.0, cut_line.cut_box
    shows = color_difference(on_paper(edge.rgba), _PAPER) >= PAPER_DELTA_E
    run = edge.longest_run_px(shows)
    return float(shows.mean()), cut_line.place_px(run) if run is not None else cut_line.cut_box


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
    """Smallest radius of the emitted curves; of a kiss-cut sticker's, whose liner has corners of its own."""
    code, spec, cut_line = "MIN_RADIUS", sticker.spec, sticker.cut_line
    radius, x, y = min((path.tightest for path in (*cut_line.finished, *cut_line.inner)), key=lambda found: found[0])
    limit = spec.min_radius_mm or BLADE_MM
    own = cut_line.shape_min_radius_mm
    measures: dict[str, Any] = {"value": round(min(radius, WIDEST_MM), 3), "limit": limit, "unit": "mm"}
    measures["place"] = _around(x, y, max(limit, 0.5))
    if radius >= limit - MEASURING_MM:
        before = "sharp" if own == 0 else f"{min(own, WIDEST_MM):.1f} mm"
        message = (
            f"The tightest corner has a radius of {min(radius, WIDEST_MM):.1f} mm; in the shape itself it is {before}."
        )
        return passed(code, message, **measures)
    message = f"The tightest corner has a radius of {radius:.2f} mm; the blade needs {limit:g} mm."
    fix = f"Set min_radius_mm to {BLADE_MM:g}, or use more smoothing or a larger border."
    return (failed if radius < limit / 2 else warned)(code, message, fix, **measures)


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
    measures: dict[str, Any] = {"value": depth, "limit": LOST_MM, "unit": "mm"}
    if depth <= LOST_MM:
        return passed(code, "Corner rounding cuts nothing off.", **measures)
    lost = polygons_of(cut_line.wanted.difference(face))
    deepest = shapely.Point(outside[int(np.argmax(distances))])
    measures["place"] = box_mm(min(lost.geoms, key=deepest.distance).bounds)
    share = lost.area / cut_line.wanted.area
    message = f"Rounding corners for the blade cuts up to {depth:.1f} mm off tips ({100 * share:.1f} % of the area)."
    fix = f"Use a border of at least {sticker.spec.min_radius_mm:g} mm, or a smaller min_radius_mm."
    much = depth > LOST_MUCH_MM or share > LOST_MUCH_SHARE
    return (failed if much else warned)(code, message, fix, **measures)


def _around(x: float, y: float, reach_mm: float) -> BoxMm:
    return box_mm((x - reach_mm, y - reach_mm, x + reach_mm, y + reach_mm))

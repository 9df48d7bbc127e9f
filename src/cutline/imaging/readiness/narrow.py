"""Checks of narrow places: parts that tear off, necks at which the sticker falls into two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import shapely
from shapely import MultiPolygon, Polygon

from cutline.domain.outputs import BoxMm, Finding
from cutline.imaging.cut_line.model import box_mm
from cutline.imaging.readiness.model import Sticker, failed, passed, warned
from cutline.imaging.shapes import offset, opened, polygons_of

THIN_MM: Final = 3.0
FRAIL_MM: Final = 1.0
MEASURING_MM: Final = 0.2
"""What a width may miss the limit by: a stroke that swells by less is no neck, and a bridge is drawn that exactly."""
WIDTHS_MM: Final = (0.5, 1.0, 1.5, 2.0, 2.5, THIN_MM - MEASURING_MM)
"""Widths that are tried; between the first that does not fit and the one before it, the width is looked for."""
CLOSE_MM: Final = 0.05
_COARSE_MM: Final = 0.02


@dataclass(frozen=True, slots=True)
class _Narrow:
    width_mm: float
    place: BoxMm


def thin_parts(sticker: Sticker) -> Finding:
    """Parts of the sticker so narrow that they tear when it is peeled."""
    code = "THIN_PARTS"
    found = _narrowest(_thin_part, sticker)
    if found is None:
        return passed(code, f"Every part is about {THIN_MM:g} mm wide or more.", limit=THIN_MM, unit="mm")
    measures: dict[str, Any] = {"value": found.width_mm, "limit": THIN_MM, "unit": "mm", "place": found.place}
    message = f"The narrowest part is at most {found.width_mm:g} mm wide; it may tear or curl."
    fix = "Use a larger border or more smoothing."
    return (failed if found.width_mm <= FRAIL_MM else warned)(code, message, fix, **measures)


def thin_necks(sticker: Sticker) -> Finding:
    """Necks that hold two parts of the sticker together and are so narrow that it tears there."""
    code = "THIN_NECKS"
    found = _narrowest(_neck, sticker)
    if found is None:
        return passed(code, f"Every neck is about {THIN_MM:g} mm wide or more.", limit=THIN_MM, unit="mm")
    measures: dict[str, Any] = {"value": found.width_mm, "limit": THIN_MM, "unit": "mm", "place": found.place}
    message = f"A neck between two parts is at most {found.width_mm:g} mm wide; the sticker may tear there."
    fix = "Use a larger border or more smoothing, or move the parts closer together."
    return (failed if found.width_mm <= FRAIL_MM else warned)(code, message, fix, **measures)


def _narrowest(place_of: Callable[[MultiPolygon, float], BoxMm | None], sticker: Sticker) -> _Narrow | None:
    """The narrowest place of a kind; most stickers have none, which the largest width alone tells."""
    face = polygons_of(sticker.cut_line.face.simplify(_COARSE_MM))
    if place_of(face, WIDTHS_MM[-1]) is None:
        return None
    fits_mm = None
    for width_mm in WIDTHS_MM:
        if (place := place_of(face, width_mm)) is not None:
            return _closer(place_of, face, _Narrow(width_mm, place), fits_mm)
        fits_mm = width_mm
    return None


def _closer(
    place_of: Callable[[MultiPolygon, float], BoxMm | None], face: MultiPolygon, found: _Narrow, fits_mm: float | None
) -> _Narrow:
    """The width between one that fits and one that does not; below the least that is tried nothing is told apart."""
    while fits_mm is not None and found.width_mm - fits_mm > CLOSE_MM:
        middle_mm = (found.width_mm + fits_mm) / 2
        if (place := place_of(face, middle_mm)) is not None:
            found = _Narrow(middle_mm, place)
        else:
            fits_mm = middle_mm
    return _Narrow(round(found.width_mm, 1), found.place)


def _thin_part(face: MultiPolygon, width_mm: float) -> BoxMm | None:
    """The largest part that a disc of that width does not reach and that is no neck; mere corners are left out."""
    cores = opened(face, width_mm / 2, sagitta_mm=_COARSE_MM)
    margin_mm = 0.2 * width_mm
    rest = polygons_of(face.difference(cores.buffer(margin_mm, quad_segs=4)))
    for part in rest.geoms:
        if part.area > 0.2 * width_mm**2 and _touched(part, cores, 1.5 * margin_mm) < 2:
            return box_mm(part.bounds)
    return None


def _touched(part: Polygon, cores: MultiPolygon, reach_mm: float) -> int:
    return int((shapely.distance(part, list(cores.geoms)) < reach_mm).sum())


def _neck(face: MultiPolygon, width_mm: float) -> BoxMm | None:
    """The shortest way between parts of one piece that a disc of that width cannot pass between."""
    radius_mm = width_mm / 2
    for piece in face.geoms:
        eroded = offset(piece, -radius_mm, sagitta_mm=_COARSE_MM)
        rooms = [room for room in eroded.geoms if room.area > 0.01 * width_mm**2]
        if len(rooms) > 1:
            ways = [shapely.shortest_line(first, second) for first, second in combinations(rooms[:20], 2)]
            return box_mm(min(ways, key=lambda way: way.length).buffer(radius_mm).bounds)
    return None

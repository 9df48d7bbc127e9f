"""Step: the checks, in the order the report lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from cutline.domain.outputs import Finding
from cutline.imaging.cut_line.model import box_mm
from cutline.imaging.readiness.art import (
    cutout_confidence,
    enclosed_background,
    soft_shadow,
    subject,
    transparency_inside,
)
from cutline.imaging.readiness.canvas import art_cropped
from cutline.imaging.readiness.contrast import edge_contrast
from cutline.imaging.readiness.edges import art_lost, bleed, min_radius, safe_zone
from cutline.imaging.readiness.model import Sticker
from cutline.imaging.readiness.narrow import thin_necks, thin_parts
from cutline.imaging.readiness.pieces import holes, islands, specks
from cutline.imaging.readiness.press import press_gamut
from cutline.imaging.readiness.size import aspect_ratio, cut_complexity, resolution, sticker_size

CHECKS: Final[tuple[Callable[[Sticker], Finding], ...]] = (
    subject,
    cutout_confidence,
    resolution,
    sticker_size,
    aspect_ratio,
    bleed,
    safe_zone,
    min_radius,
    thin_parts,
    thin_necks,
    cut_complexity,
    islands,
    holes,
    art_lost,
    art_cropped,
    specks,
    enclosed_background,
    soft_shadow,
    transparency_inside,
    edge_contrast,
    press_gamut,
)


def inspect(sticker: Sticker) -> tuple[Finding, ...]:
    """Runs every check; places are those on the page, since nobody sees what lies beyond it."""
    return tuple(_on_page(check(sticker), sticker) for check in CHECKS)


def _on_page(finding: Finding, sticker: Sticker) -> Finding:
    """The finding with its place cut to the page; at the page's edge where it lies beyond."""
    if finding.place is None:
        return finding
    place, trim, bleed_mm = finding.place, sticker.cut_line.trim_box, sticker.spec.bleed_mm
    low = (-bleed_mm, -bleed_mm)
    high = (trim.width_mm + bleed_mm, trim.height_mm + bleed_mm)
    corners = np.array([(place.x_mm, place.y_mm), (place.x_mm + place.width_mm, place.y_mm + place.height_mm)])
    (x_min, y_min), (x_max, y_max) = np.clip(corners, low, high).tolist()
    return replace(finding, place=box_mm((x_min, y_min, x_max, y_max)))

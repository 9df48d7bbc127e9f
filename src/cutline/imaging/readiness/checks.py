"""Step: the checks, in the order the report lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cutline.domain.outputs import Finding
from cutline.imaging.readiness.art import (
    cutout_confidence,
    edge_contrast,
    enclosed_background,
    soft_shadow,
    subject,
    transparency_inside,
)
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
    specks,
    enclosed_background,
    soft_shadow,
    transparency_inside,
    edge_contrast,
    press_gamut,
)


def inspect(sticker: Sticker) -> tuple[Finding, ...]:
    """Runs every check."""
    return tuple(check(sticker) for check in CHECKS)

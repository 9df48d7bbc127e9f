"""Step: the measures of a finished sticker."""

from __future__ import annotations

from typing import Final

from cutline.domain.outputs import BoxMm, Geometry
from cutline.imaging.cut_line.model import CutLine
from cutline.imaging.model import Artwork, Cutout

MM_PER_INCH: Final = 25.4


def measure(artwork: Artwork, cutout: Cutout, cut_line: CutLine) -> Geometry:
    """Measures as the report holds them; lengths to the micrometre."""
    x_min, y_min, x_max, y_max = cut_line.art.bounds
    x_mm, y_mm = cut_line.canvas_origin_mm
    height_px, width_px = cutout.rgba.shape[:2]
    scale = cut_line.mm_per_px
    return Geometry(
        cut_width_mm=cut_line.cut_box.width_mm,
        cut_height_mm=cut_line.cut_box.height_mm,
        art_width_mm=round(x_max - x_min, 3),
        art_height_mm=round(y_max - y_min, 3),
        effective_dpi=0.0 if artwork.vector else round(MM_PER_INCH / scale, 1),
        cut_length_mm=round(sum(path.length_mm for _, path in cut_line.paths), 2),
        closing_radius_mm=round(cut_line.closing_radius_mm, 3),
        pieces=len(cut_line.finished),
        holes=len(cut_line.inner),
        segments=sum(len(path.control) for _, path in cut_line.paths),
        size_source=cut_line.size_source,
        canvas_box=BoxMm(round(x_mm, 5), round(y_mm, 5), round(width_px * scale, 5), round(height_px * scale, 5)),
        cut_box=cut_line.cut_box,
        shape_min_radius_mm=round(min(cut_line.shape_min_radius_mm, 1e4), 3),
    )

"""How many pixels vector artwork is rendered at: 600 dpi of the art's final size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cutline.domain.errors import ArtworkError
from cutline.domain.outputs import CutoutMethod
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.scale import longer_side_mm, solve_scale
from cutline.imaging.cutout import cut_out
from cutline.imaging.geometry import MM_PER_INCH
from cutline.imaging.model import Artwork
from cutline.imaging.outline import trace_outline

VECTOR_DPI: Final = 600


def vector_sizer(spec: ResolvedSpec) -> Callable[[Artwork], int]:
    """A function from a small render of a canvas to the longer side in px it is to be rendered at.

    The art seldom fills its canvas, and the size asked for is the sticker's with its border. So the small render goes
    through the same steps that will place the art, and the scale they find is the answer.
    """

    def longer_side_px(small: Artwork) -> int:
        try:
            canvas_mm = float(max(small.rgba.shape[:2])) * _mm_per_px(small, spec)
        except ArtworkError:
            canvas_mm = longer_side_mm(spec)  # the real render will tell what is wrong with it
        return max(1, round(canvas_mm / MM_PER_INCH * VECTOR_DPI))

    return longer_side_px


def _mm_per_px(small: Artwork, spec: ResolvedSpec) -> float:
    # A model would double its cost for a box that the other methods find as well.
    method = CutoutMethod.AUTO if spec.cutout_method is CutoutMethod.MODEL else spec.cutout_method
    cutout = cut_out(
        small,
        method=method,
        alpha_threshold=spec.alpha_threshold,
        remove_enclosed_background=spec.remove_enclosed_background,
    )
    longer_mm = longer_side_mm(spec)
    outline = trace_outline(cutout.rgba, alpha_threshold=spec.alpha_threshold, longer_side_mm=longer_mm)
    return solve_scale(outline.art, spec).mm_per_px

"""Background that art encloses, where a mask at search size says what is art: reported always, removed when asked."""

from __future__ import annotations

import numpy as np

from cutline.imaging.cutout.masks import above, either, grown, inverse, outer_region, parts_of, type_mask, without


def settle_enclosed(
    mask: type_mask, *, width_px: int, height_px: int, remove: bool
) -> tuple[type_mask, tuple[tuple[int, int, int, int], ...]]:
    """Fills what the art encloses, unless it is to be removed.

    Args:
        mask: 0 background to 255 art, at search size.
        width_px: Width of the artwork, which the boxes are told for.
        height_px: Its height.
        remove: Whether enclosed background stays open.

    Returns:
        The mask, and the boxes (x, y, width, height) of enclosed background in px of the artwork.
    """
    clear = inverse(above(mask, 127))
    enclosed = without(clear, outer_region(clear))
    if not enclosed.any():
        return mask, ()
    height, width = mask.shape
    scale = np.array([width_px / width, height_px / height] * 2)
    boxes = np.rint(parts_of(enclosed, connectivity=4).boxes[1:] * scale).astype(int).tolist()
    if remove:
        return mask, tuple((x, y, w, h) for x, y, w, h in boxes)
    # The soft rim of a hole is filled with it.
    rim = without(grown(enclosed, 2), outer_region(clear))
    return either(mask, either(enclosed, rim)), tuple((x, y, w, h) for x, y, w, h in boxes)

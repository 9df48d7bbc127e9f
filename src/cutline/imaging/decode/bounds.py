"""How large artwork may be, checked before a pixel is decoded."""

from __future__ import annotations

from typing import NoReturn

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason


def check_bytes(size_bytes: int, limits: ArtworkLimits) -> None:
    """Refuses an empty file and one over the byte limit.

    Raises:
        ArtworkError: ARTWORK_EMPTY or ARTWORK_TOO_LARGE.
    """
    if size_bytes == 0:
        raise ArtworkError(Reason.ARTWORK_EMPTY, "The artwork file is empty.")
    if size_bytes > limits.max_bytes:
        refuse_as_too_large(f"{size_bytes:,} bytes", f"{limits.max_bytes:,} bytes")


def check_pixels(width_px: int, height_px: int, limits: ArtworkLimits) -> None:
    """Refuses a canvas over the side or the pixel limit.

    Raises:
        ArtworkError: ARTWORK_TOO_LARGE, or ARTWORK_UNREADABLE for a canvas without area.
    """
    if width_px < 1 or height_px < 1:
        raise ArtworkError(Reason.ARTWORK_UNREADABLE, f"The artwork has no area: {width_px} x {height_px} px.")
    if max(width_px, height_px) > limits.max_side_px:
        refuse_as_too_large(f"{width_px} x {height_px} px", f"{limits.max_side_px:,} px a side")
    if width_px * height_px > limits.max_pixels:
        refuse_as_too_large(
            f"{width_px} x {height_px} px ({width_px * height_px:,} pixels)", f"{limits.max_pixels:,} pixels"
        )


def refuse_as_too_large(value: str, limit: str) -> NoReturn:
    """Raises the error for a size over its limit, naming both.

    Raises:
        ArtworkError: ARTWORK_TOO_LARGE, always.
    """
    raise ArtworkError(
        Reason.ARTWORK_TOO_LARGE,
        f"The artwork is too large: {value}; the limit is {limit}.",
        metadata={"value": value, "limit": limit},
    )

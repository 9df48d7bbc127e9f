"""Pictures worked on some rows at a time, so that what a step needs on the way stays small."""

from __future__ import annotations

from collections.abc import Iterator


def row_strips(shape: tuple[int, ...], strip_px: int) -> Iterator[slice]:
    """The rows of a picture of that shape, as many at a time as have `strip_px` pixels; one at least."""
    height, width = shape[:2]
    strip_rows = max(1, strip_px // width)
    return (slice(top, top + strip_rows) for top in range(0, height, strip_rows))

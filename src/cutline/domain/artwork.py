"""What artwork is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEDIA_TYPES: Final = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/tiff",
    "image/gif",
    "image/avif",
    "image/svg+xml",
)


@dataclass(frozen=True, slots=True)
class ArtworkLimits:
    """How large artwork may be; print.md's figures are the defaults, an operator may set others."""

    max_bytes: int = 50_000_000
    max_pixels: int = 64_000_000
    max_side_px: int = 16_384

"""How sure a cutout off a smooth background may be of itself.

A clean edge all the way round is no proof: white art on white paper shows only its coloured parts, and those have the
cleanest of edges. So two things count that an edge alone does not tell: how much of it hardly differs from the
background, and whether what was found is separate pieces that look like marks on white (or black) art.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cutout.background import Background
from cutline.imaging.cutout.marks import certainty_of_pieces
from cutline.imaging.cutout.masks import type_mask

_MOST: Final = 0.98
_OF_GRADIENT: Final = 0.92
# CIE76 differences: below the first an edge can hardly be seen, from the second on nobody misses it.
_FAINT_DIFFERENCE: Final = 6.0
_STRONG_DIFFERENCE: Final = 9.0
# A sixth of the edge hardly visible leaves no confidence at all: as much again may be missing altogether.
_FAINT_WEIGHT: Final = 6.0
# Solid parts that were taken for compression noise: from what noise can be to what must have been art.
_DOUBTFUL_SHARES: Final = (0.015, 0.04)
_OF_DOUBTFUL: Final = 0.45
# Compression noise reaches as far in a small picture as in a large one, and covers light parts of small art.
_COMPRESSED_SIDES_PX: Final = (64, 256)
_OF_SMALL_COMPRESSED: Final = 0.5
_PLAIN_LEVELS: Final = (2, 253)


def certainty_on_field(
    background: Background,
    inside: type_mask,
    edge_difference: NDArray[np.float32],
    *,
    leak_share: float,
    doubtful_share: float,
    is_compressed: bool,
) -> float:
    """Confidence in a cutout off one colour or a gradient, 0 to 1.

    Args:
        background: What it was taken off.
        inside: 255 where art was found.
        edge_difference: CIE76 difference between art and background at pixels of the edge; shape (n,).
        leak_share: Area that a looser search would have lost, as a share of the subject.
        doubtful_share: Solid area that was taken for noise, as a share of the subject.
        is_compressed: Whether the picture shows compression noise.
    """
    if len(edge_difference) == 0:
        return 0.0
    strong_share = float((edge_difference >= _STRONG_DIFFERENCE).mean())
    faint_share = float((edge_difference <= _FAINT_DIFFERENCE).mean())
    border = (background.border_share - 0.4) / 0.6
    smooth = _OF_GRADIENT if background.varies else 1.0
    by_edge = (0.35 + 0.65 * strong_share) * max(0.0, 1 - _FAINT_WEIGHT * faint_share)
    apart = certainty_of_pieces(inside) if _is_plain(background) else 1.0
    kept = (1 - 0.5 * leak_share) * float(np.interp(doubtful_share, _DOUBTFUL_SHARES, (1.0, _OF_DOUBTFUL)))
    if is_compressed:
        kept *= float(np.interp(max(inside.shape), _COMPRESSED_SIDES_PX, (_OF_SMALL_COMPRESSED, 1.0)))
    return float(np.clip(_MOST * border * smooth * by_edge * kept * apart, 0, 1))


def _is_plain(background: Background) -> bool:
    """Whether the background is the white or the black that art itself is so often made of."""
    low, high = _PLAIN_LEVELS
    colour = background.colour
    return not background.varies and bool(colour.min() >= high or colour.max() <= low)

"""Which spot colour a path is cut by."""

from __future__ import annotations

from cutline.domain.outputs import CutRole
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.model import CutLine


def spot_of(role: CutRole, cut_line: CutLine, spec: ResolvedSpec) -> str:
    """Name of the spot colour: an inner cut goes as deep as the sticker's own outline."""
    kiss = role is CutRole.KISS or (role is CutRole.INNER and bool(cut_line.kiss))
    return spec.preset.kiss_spot if kiss else spec.preset.through_spot

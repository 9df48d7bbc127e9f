"""What a check looks at, and short ways to say what it found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.domain.outputs import BoxMm, Finding, FindingLevel, Geometry
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.model import CutLine, box_mm
from cutline.imaging.model import Artwork, Cutout
from cutline.imaging.outline import Outline
from cutline.imaging.press_profile import PressProfile

OPAQUE: Final = 250
"""Alpha, of 255, from which art counts as opaque."""


@dataclass(frozen=True)
class Sticker:
    """Everything known about a sticker once its cut line stands."""

    artwork: Artwork
    cutout: Cutout
    outline: Outline
    cut_line: CutLine
    geometry: Geometry
    spec: ResolvedSpec
    press: PressProfile | None = None

    @cached_property
    def alpha_counts(self) -> NDArray[np.float64]:
        """How many pixels have each alpha, 256 values."""
        counts = cv2.calcHist([self.cutout.rgba], [3], None, [256], [0, 256])
        return np.asarray(counts, np.float64).ravel()

    @cached_property
    def least_alpha(self) -> int:
        """The least alpha value, 0 to 255, that counts as art."""
        return int(np.ceil(self.spec.alpha_threshold * 255 - 1e-9))

    @cached_property
    def outline_length_px(self) -> float:
        """Length of the art's outline in pixels; an antialiased edge has about one soft pixel per pixel of it."""
        return float(self.outline.art.length)

    @cached_property
    def art_box(self) -> BoxMm:
        """Where the art lies."""
        return box_mm(self.cut_line.art.bounds)


def passed(code: str, message: str, **measures: Any) -> Finding:
    """A finding that all is well."""
    return Finding(code, FindingLevel.PASS, message, **measures)


def warned(code: str, message: str, fix: str, **measures: Any) -> Finding:
    """A finding that the print may disappoint."""
    return Finding(code, FindingLevel.WARN, message, fix, **measures)


def failed(code: str, message: str, fix: str, **measures: Any) -> Finding:
    """A finding that this should not go to a printer."""
    return Finding(code, FindingLevel.FAIL, message, fix, **measures)


def not_applicable(code: str, message: str) -> Finding:
    """A finding that the check says nothing here."""
    return Finding(code, FindingLevel.NOT_APPLICABLE, message)

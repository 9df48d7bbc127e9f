"""The frozen values that travel between the steps of the pipeline.

Pixels: uint8 RGBA of shape (height_px, width_px, 4), sRGB, straight (not premultiplied) alpha, row 0 on top.
Pixel coordinates: x to the right, y downwards; pixel (i, j) covers the unit square from (j, i) to (j + 1, i + 1),
so its centre lies at (j + 0.5, i + 0.5) and the canvas spans (0, 0) to (width_px, height_px).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutline.domain.outputs import (
    CutoutMethod,
    CutPath,
    Finding,
    Geometry,
    OutputFile,
    PrintVerdict,
)

type_rgba = NDArray[np.uint8]

StepObserver = Callable[[str, float], AbstractContextManager[None]]
"""Called with a step's name and the share of the run done before it; its context spans the step.

The shell hangs tracing, progress and cancellation on it. Raising from it ends the run.
"""


@dataclass(frozen=True, slots=True)
class Artwork:
    """Decoded artwork.

    Attributes:
        rgba: The pixels.
        media_type: What the bytes really were.
        has_alpha: Whether any pixel is not opaque.
        vector: Whether it was rendered from SVG; resolution does not apply then.
    """

    rgba: type_rgba
    media_type: str
    has_alpha: bool
    vector: bool


@dataclass(frozen=True, slots=True)
class Cutout:
    """Art without background, on the artwork's own canvas.

    Attributes:
        rgba: The pixels; colour is the art's own also where alpha is partial (unmixed from the background).
        method: How the background was removed.
        confidence: How sure the cutout is of itself, 0 to 1.
        subject_is_everything: No background was found; the art fills the canvas.
        enclosed_background_px: Bounding boxes (x, y, width, height) of regions inside the art that look like
            background and were kept, or were removed where the spec asked for it.
    """

    rgba: type_rgba
    method: CutoutMethod
    confidence: float
    subject_is_everything: bool
    enclosed_background_px: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class StickerResult:
    """What a run made."""

    geometry: Geometry
    findings: tuple[Finding, ...]
    print_verdict: PrintVerdict
    cutout_method: CutoutMethod
    cutout_confidence: float
    cut_paths: tuple[CutPath, ...]
    files: tuple[OutputFile, ...]

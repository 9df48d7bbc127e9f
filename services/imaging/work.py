"""What runs in the slot's process: the pure pipeline, and nothing of the service around it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import Reason, UnavailableError
from cutline.domain.outputs import CutoutMethod, Finding, Geometry, OutputFormat, PrintVerdict
from cutline.domain.sticker_spec import ResolvedSpec, StickerSpec, resolve
from cutline.imaging.cutout.model import RembgRemover
from cutline.imaging.cutout.remover import ModelUnavailableError
from cutline.imaging.model import StepObserver
from cutline.imaging.pipeline import process
from cutline.imaging.press_profile import PressProfile

_PRACTICE_SIDE_PX: Final = 256

# Model and press profile are loaded once a process; everything else is a value.
_models: list[RembgRemover] = []
_press_profiles: list[PressProfile] = []


@dataclass(frozen=True, slots=True)
class Run:
    """What a run found; its files travel beside it, in the order of `files`.

    Attributes:
        files: Kind and SHA-256 (32 bytes) of each file.
    """

    geometry: Geometry
    findings: tuple[Finding, ...]
    print_verdict: PrintVerdict
    cutout_method: CutoutMethod
    cutout_confidence: float
    files: tuple[tuple[OutputFormat, bytes], ...]


def warm_up(threads: int, model_path: str, press_icc: bytes = b"") -> None:
    """Loads what a run needs and makes one of a small disc, so that the first job is as fast as the next.

    Args:
        threads: Threads of OpenCV and of the model's runtime.
        model_path: ONNX file; empty for none.
        press_icc: Profile of the press; empty for none.

    Raises:
        UnavailableError: The model does not run.
    """
    cv2.setNumThreads(threads)
    if model_path:
        model = RembgRemover(Path(model_path), threads=threads)
        try:
            model.subject_mask(np.full((64, 64, 4), 255, np.uint8))
        except ModelUnavailableError as error:
            raise UnavailableError(Reason.MODEL_UNAVAILABLE, str(error)) from error
        _models.append(model)
    if press_icc:
        _press_profiles.append(PressProfile.read(press_icc))
    disc = np.full((_PRACTICE_SIDE_PX, _PRACTICE_SIDE_PX, 3), 255, np.uint8)
    cv2.circle(disc, (_PRACTICE_SIDE_PX // 2, _PRACTICE_SIDE_PX // 2), _PRACTICE_SIDE_PX // 3, (40, 90, 200), -1)
    png = io.BytesIO()
    Image.fromarray(disc).save(png, "PNG")
    process(png.getvalue(), resolve(StickerSpec()))


def run_pipeline(
    observe: StepObserver, buffers: Sequence[bytes], spec: ResolvedSpec, limits: ArtworkLimits
) -> tuple[Run, list[bytes]]:
    """Makes a sticker of the artwork in the first buffer; gives the run and its files.

    Raises:
        ArtworkError: The artwork cannot become this sticker.
    """
    result = process(
        buffers[0],
        spec,
        limits=limits,
        observe=observe,
        model=_models[0] if _models else None,
        press=_press_profiles[0] if _press_profiles else None,
    )
    with observe("digest", 1.0):
        files = tuple((file.kind, hashlib.sha256(file.data).digest()) for file in result.files)
    run = Run(
        geometry=result.geometry,
        findings=result.findings,
        print_verdict=result.print_verdict,
        cutout_method=result.cutout_method,
        cutout_confidence=result.cutout_confidence,
        files=files,
    )
    return run, [file.data for file in result.files]

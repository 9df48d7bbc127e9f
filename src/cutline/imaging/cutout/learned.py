"""MODEL: a learned remover says roughly what is art; the edge is found by colour."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout.enclosed import settle_enclosed
from cutline.imaging.cutout.grabcut import everything
from cutline.imaging.cutout.matte import refine
from cutline.imaging.cutout.remover import BackgroundRemover
from cutline.imaging.model import Cutout, type_rgba

# Such networks see 320 to 1,024 px; the edge is sought at full size anyway.
_SEARCH_SIDE_PX: Final = 512
_LEAST_SUBJECT_SHARE: Final = 0.001
_MOST_SUBJECT_SHARE: Final = 0.99
# Removers stretch what they predict to the full range; less than this between its ends is no opinion at all.
_LEAST_RANGE: Final = 64


def cut_out_by_model(rgba: type_rgba, model: BackgroundRemover, *, remove_enclosed_background: bool) -> Cutout:
    """Cuts out what the model takes for the subject.

    Raises:
        ArtworkError: NO_SUBJECT where the model sees none.
        ModelUnavailableError: The model cannot work here.
    """
    height, width = rgba.shape[:2]
    mask = model.subject_mask(rgba)
    if int(mask.max()) - int(mask.min()) < _LEAST_RANGE:
        raise _no_subject()
    scale = min(1.0, _SEARCH_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    share = float((small > 127).mean())
    if share < _LEAST_SUBJECT_SHARE:
        raise _no_subject()
    if share > _MOST_SUBJECT_SHARE:
        return everything(rgba, CutoutMethod.MODEL)
    # A decided mask is nearly black and white; the grey in it is what the model was unsure of.
    unsure = float(((small > 40) & (small < 215)).mean()) / min(share, 1 - share)
    settled, boxes = settle_enclosed(small, width_px=width, height_px=height, remove=remove_enclosed_background)
    return Cutout(
        rgba=refine(rgba, settled).rgba,
        method=CutoutMethod.MODEL,
        confidence=float(np.clip(0.9 - 0.8 * unsure, 0.2, 0.9)),
        subject_is_everything=False,
        enclosed_background_px=boxes,
    )


def _no_subject() -> ArtworkError:
    return ArtworkError(Reason.NO_SUBJECT, "The background model found no subject in the artwork.")

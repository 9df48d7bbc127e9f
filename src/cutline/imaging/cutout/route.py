"""Which way the background is removed."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout.background import find_background
from cutline.imaging.cutout.existing_alpha import keep_alpha, shows_cutout
from cutline.imaging.cutout.flat import cut_out_flat
from cutline.imaging.cutout.grabcut import cut_out_by_grabcut, everything
from cutline.imaging.cutout.learned import cut_out_by_model
from cutline.imaging.cutout.remover import BackgroundRemover, ModelUnavailableError
from cutline.imaging.model import Artwork, Cutout, type_rgba


def cut_out(
    artwork: Artwork,
    *,
    method: CutoutMethod,
    alpha_threshold: float,
    remove_enclosed_background: bool,
    model: BackgroundRemover | None = None,
) -> Cutout:
    """Removes the background.

    AUTO goes by evidence: transparency that the artwork brings; else a border of one colour or one smooth gradient;
    else the model, where there is one and it works; else GrabCut. A method that was asked for is used whatever the
    evidence, and says by `subject_is_everything` that it found no background. Alpha that is made here is solid inside
    the art; where it is 0 the colour means nothing.

    Args:
        artwork: Decoded artwork.
        method: How.
        alpha_threshold: Alpha from which a pixel counts as art, 0 to 1.
        remove_enclosed_background: Whether regions inside the art that look like the background are removed too;
            they are reported either way.
        model: A learned remover, for MODEL and AUTO.

    Raises:
        ArtworkError: NO_SUBJECT, or MODEL_UNAVAILABLE where MODEL was asked for and cannot be had.
    """
    if method is CutoutMethod.ALPHA or (method is CutoutMethod.AUTO and shows_cutout(artwork, alpha_threshold)):
        return keep_alpha(artwork.rgba, alpha_threshold)
    opaque = _on_white(artwork)
    if method is CutoutMethod.MODEL:
        cutout = _by_model_or_refuse(opaque, model, remove_enclosed_background=remove_enclosed_background)
    elif method is CutoutMethod.GRABCUT:
        cutout = cut_out_by_grabcut(opaque, remove_enclosed_background=remove_enclosed_background)
    else:
        flat = _by_border(opaque, remove_enclosed_background=remove_enclosed_background)
        if flat is None and method is CutoutMethod.FLAT:
            flat = everything(opaque, CutoutMethod.FLAT)
        cutout = (
            flat
            or _by_model_if_it_works(opaque, model, remove_enclosed_background=remove_enclosed_background)
            or cut_out_by_grabcut(opaque, remove_enclosed_background=remove_enclosed_background)
        )
    return _within_alpha(cutout, artwork, alpha_threshold)


def _by_border(rgba: type_rgba, *, remove_enclosed_background: bool) -> Cutout | None:
    background = find_background(rgba)
    if background is None:
        return None
    return cut_out_flat(rgba, background, remove_enclosed_background=remove_enclosed_background)


def _by_model_or_refuse(
    rgba: type_rgba, model: BackgroundRemover | None, *, remove_enclosed_background: bool
) -> Cutout:
    if model is None:
        raise ArtworkError(
            Reason.MODEL_UNAVAILABLE,
            "Cutout method MODEL needs a background model, and none is configured; use AUTO, FLAT or GRABCUT.",
        )
    try:
        return cut_out_by_model(rgba, model, remove_enclosed_background=remove_enclosed_background)
    except ModelUnavailableError as error:
        raise ArtworkError(Reason.MODEL_UNAVAILABLE, str(error)) from error


def _by_model_if_it_works(
    rgba: type_rgba, model: BackgroundRemover | None, *, remove_enclosed_background: bool
) -> Cutout | None:
    """The model's cutout, or None where it is missing, broken or without opinion: GrabCut may still know."""
    if model is None:
        return None
    try:
        return cut_out_by_model(rgba, model, remove_enclosed_background=remove_enclosed_background)
    except (ModelUnavailableError, ArtworkError):
        return None


def _on_white(artwork: Artwork) -> type_rgba:
    """The artwork as it would print on white paper: the other methods look at colour alone."""
    if not artwork.has_alpha:
        return artwork.rgba
    alpha = artwork.rgba[..., 3:].astype(np.uint16)
    opaque = np.full_like(artwork.rgba, 255)
    opaque[..., :3] = (artwork.rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return opaque


def _within_alpha(cutout: Cutout, artwork: Artwork, alpha_threshold: float) -> Cutout:
    """Never more opaque than the artwork was; refuses what is left without art."""
    if artwork.has_alpha:
        rgba = cutout.rgba.copy()
        rgba[..., 3] = cv2.min(rgba[..., 3], artwork.rgba[..., 3])
        cutout = replace(cutout, rgba=rgba)
    if int(cutout.rgba[..., 3].max()) < alpha_threshold * 255:
        raise ArtworkError(
            Reason.NO_SUBJECT, f"No art is left after the background: no pixel is {alpha_threshold:.0%} opaque."
        )
    return cutout

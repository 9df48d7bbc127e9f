"""The colour of the background, told from the canvas border: one colour, a smooth gradient, or a checker.

Colours are sRGB levels 0 to 255. Positions of the gradient's polynomial run from -1 to 1 over the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cutout.checker import find_checker
from cutline.imaging.cutout.gradient import explained_share, find_drawn_gradient, ring_colours, worst_channel
from cutline.imaging.cutout.masks import outer_region, shrunk, type_mask
from cutline.imaging.model import type_rgba

type_levels = NDArray[np.float32]

_SEARCH_SIDE_PX: Final = 192
_MOST_SAMPLES: Final = 6_000
# How far a sample may lie from one colour, in levels of its worst channel, and still be that colour.
_FLAT_REACH: Final = 12
_GRADIENT_REACH: Final = 6
_LEAST_FLAT_SHARE: Final = 0.6
_LEAST_GRADIENT_SHARE: Final = 0.85
# A border this much of one colour, and this quiet about it, is no gradient.
_CERTAIN_SHARE: Final = 0.97
_QUIET_NOISE: Final = 2.0
# A border of two colours by turns is a pattern that runs off the canvas, such as a QR code without margin: neither of
# the two is background. Art that the canvas crops touches the border in a few places.
_MOST_TORN_SHARE: Final = 0.8
_LEAST_STRETCHES: Final = 8
_LEAST_STRETCH_SHARE: Final = 0.004
_LEAST_SECOND_SHARE: Final = 0.8
# A gradient explains this much more of the border than one colour does, or it is none.
_LEAST_GAIN: Final = 0.05
_LEAST_SEARCH_SIDE_PX: Final = 16
_GROWTH_ROUNDS: Final = 14
_FIT_ROUNDS: Final = 3
# Levels that a pixel may differ from its neighbours' mean within a smooth gradient.
_FAINT_EDGE: Final = 0.8
_REST_SIGMA_PX: Final = 3.0
# What a band of the full canvas needs as floats stays in the processor's cache.
_BAND_ROWS: Final = 16


@dataclass(frozen=True, slots=True)
class Background:
    """A model of the background's colour.

    Attributes:
        colour: The one colour, or the mean of the field; shape (3,).
        field: The gradient at search size, shape (h, w, 3), to be stretched over the canvas; None for one colour
            and for a pattern.
        region: Where the gradient was followed without crossing an edge, 255 at search size; None for one colour.
        noise: Levels that the border strays from the model, at its 98th percentile.
        border_share: Share of the border that the model explains, 0 to 1.
        pattern: A checker on the whole canvas, shape (height, width, 3); None where there is none.
    """

    colour: type_levels
    field: type_levels | None
    region: type_mask | None
    noise: float
    border_share: float
    pattern: NDArray[np.uint8] | None = None

    @property
    def varies(self) -> bool:
        """Whether it is more than one colour."""
        return self.field is not None or self.pattern is not None

    def over(self, width_px: int, height_px: int) -> NDArray[np.uint8] | None:
        """The gradient or pattern as an image of that size; None for one colour."""
        if self.field is None:
            return self.pattern
        return _stretched(np.clip(self.field, 0, 255), width_px, height_px)


def find_background(rgba: type_rgba) -> Background | None:
    """The background that most of the border agrees on, or None where it agrees on nothing smooth."""
    flat = _flat_background(_border_samples(rgba))
    if flat is not None and flat.border_share > _CERTAIN_SHARE and flat.noise <= _QUIET_NOISE:
        return flat
    checker = find_checker(rgba)
    if checker is not None:
        mean = checker.colours.mean(axis=0).astype(np.float32)
        return Background(mean, None, None, checker.noise, checker.border_share, checker.picture)
    if flat is not None and _is_torn(rgba, flat):
        return None
    return _gradient_or(flat, _at_search_size(rgba))


def _gradient_or(flat: Background | None, small: type_levels) -> Background | None:
    """A gradient, where it explains the border better than one colour does."""
    if min(small.shape[:2]) < _LEAST_SEARCH_SIDE_PX:
        return flat
    drawn = _drawn_gradient(small, flat)
    if drawn is not None and drawn.border_share > _CERTAIN_SHARE:
        return drawn
    smooth = _smooth_field(small, flat)
    if drawn is not None and (smooth is None or drawn.border_share > smooth.border_share - _LEAST_GAIN):
        return drawn
    return smooth or flat


def _stretched(levels: type_levels, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """A field stretched over a canvas, between its rows and columns; band by band, since floats take much memory."""
    rows = levels.shape[0]
    wide = cv2.resize(levels, (width_px, rows), interpolation=cv2.INTER_LINEAR).reshape(rows, -1)
    place = np.clip((np.arange(height_px, dtype=np.float32) + 0.5) * rows / height_px - 0.5, 0, rows - 1)
    above = np.minimum(place.astype(np.intp), max(0, rows - 2))
    share = (place - above)[:, None]
    full = np.empty((height_px, width_px * 3), np.uint8)
    for top in range(0, height_px, _BAND_ROWS):
        band = slice(top, top + _BAND_ROWS)
        upper, lower = wide[above[band]], wide[np.minimum(above[band] + 1, rows - 1)]
        lower -= upper
        lower *= share[band]
        lower += upper
        cv2.convertScaleAbs(lower, full[band])
    return full.reshape(height_px, width_px, 3)


def _drawn_gradient(small: type_levels, flat: Background | None) -> Background | None:
    """A linear or radial gradient, where it explains more of the border than one colour does."""
    drawn = find_drawn_gradient(small)
    if drawn is None:
        return None
    if flat is not None:
        by_one_colour = explained_share(worst_channel(ring_colours(small) - flat.colour))
        if drawn.border_share < by_one_colour + _LEAST_GAIN:
            return None
    return Background(drawn.field.mean(axis=(0, 1)), drawn.field, None, drawn.noise, drawn.border_share)


def _border_samples(rgba: type_rgba) -> NDArray[np.int16]:
    """Colours along the four edges, thinned out evenly; shape (n, 3)."""
    depth = max(1, min(4, min(rgba.shape[:2]) // 64))
    strips = (rgba[:depth], rgba[-depth:], rgba[:, :depth], rgba[:, -depth:])
    samples = np.concatenate([strip[..., :3].reshape(-1, 3) for strip in strips])
    return samples[:: max(1, len(samples) // _MOST_SAMPLES)].astype(np.int16)


def _flat_background(samples: NDArray[np.int16]) -> Background | None:
    """The border's most frequent colour, if most of the border has it."""
    bins = (samples[:, 0] >> 3) * 1024 + (samples[:, 1] >> 3) * 32 + (samples[:, 2] >> 3)
    colour = np.median(samples[bins == np.bincount(bins).argmax()], axis=0)
    near = np.abs(samples - colour).max(axis=1) <= _FLAT_REACH
    colour = np.median(samples[near], axis=0)
    stray = np.abs(samples - colour).max(axis=1)
    near = stray <= _FLAT_REACH
    share = float(near.mean())
    if share < _LEAST_FLAT_SHARE:
        return None
    noise = float(np.percentile(stray[near], 98))
    return Background(colour.astype(np.float32), None, None, noise, share)


def _is_torn(rgba: type_rgba, flat: Background) -> bool:
    """Whether the border turns again and again from the one colour to one other."""
    if flat.border_share > _MOST_TORN_SHARE:
        return False
    sides = (rgba[0], rgba[1:, -1], rgba[-1, -2::-1], rgba[-2:0:-1, 0])
    way = np.concatenate([side[:, :3] for side in sides]).astype(np.int16)
    other = np.abs(way - flat.colour).max(axis=1) > _FLAT_REACH
    second = _flat_background(way[other]) if other.any() else None
    if second is None or second.border_share < _LEAST_SECOND_SHARE:
        return False
    ends = np.flatnonzero(np.diff(np.concatenate([[False], other, [False]]).astype(np.int8)))
    return int((ends[1::2] - ends[::2] >= _LEAST_STRETCH_SHARE * len(way)).sum()) >= _LEAST_STRETCHES


def _smooth_field(small: type_levels, flat: Background | None) -> Background | None:
    """A polynomial through the border, grown inwards over what it explains and fitted again.

    Only where one colour does not do: most of a border that is nearly one colour all the way round fits a polynomial
    no worse, and the polynomial would follow the art in.
    """
    if flat is not None and flat.border_share > _CERTAIN_SHARE:
        return None
    height, width = small.shape[:2]
    on_border = np.zeros((height, width), bool)
    on_border[:2] = on_border[-2:] = True
    on_border[:, :2] = on_border[:, -2:] = True
    terms = _polynomial_terms(width, height, order=2)
    fitted = _robust_fit(terms[on_border], small[on_border])
    stray = worst_channel(terms @ fitted - small)
    near = stray[on_border] <= _GRADIENT_REACH
    share = float(near.mean())
    if share < _LEAST_GRADIENT_SHARE:
        return None
    noise = float(np.percentile(stray[on_border][near], 98))
    field, region = _grown_field(small, terms @ fitted, reach=min(_GRADIENT_REACH, 1.5 * noise + 1.5))
    if region.any():
        # What the first fit left over is no noise once the field has followed it.
        noise = float(np.percentile(worst_channel(field - small)[region > 0], 98))
    return Background(field.mean(axis=(0, 1)), field, region, noise, share)


def _grown_field(small: type_levels, field: type_levels, *, reach: float) -> tuple[type_levels, type_mask]:
    """Follows the background inwards from the border, round by round, beyond what a border fit can know.

    The first rounds fit one polynomial of higher order over the region that the field explains. All add what the
    fit leaves over there, smoothed: a cone or a vignette is no polynomial, but it is smooth. An edge, however faint,
    ends the region, or the field would adapt itself to art of a similar colour.

    Returns:
        The field, and the region it was told from as 0 and 255.
    """
    height, width = small.shape[:2]
    terms = _polynomial_terms(width, height, order=4)
    smooth = field
    region, explained_px = np.zeros((height, width), np.uint8), 0
    passable = _without_edges(small)
    for turn in range(_GROWTH_ROUNDS):
        near = np.where((worst_channel(field - small) <= reach) & passable, 255, 0).astype(np.uint8)
        # One step back from the art: antialiased pixels would bend the fit.
        grown = shrunk(outer_region(near), 1)
        grown_px = cv2.countNonZero(grown)
        if grown_px < terms.shape[2] * 20 or grown_px <= explained_px * 1.001:
            break
        region, explained_px = grown, grown_px
        inside = region > 0
        if turn < _FIT_ROUNDS:
            smooth = (terms @ _robust_fit(terms[inside], small[inside])).astype(np.float32)
        field = smooth + _smoothed_rest(small - smooth, inside)
    return field, region


def _without_edges(small: type_levels) -> NDArray[np.bool_]:
    """Where the picture is smooth: no more restless than its own border is."""
    rest = worst_channel(small - cv2.blur(small, (5, 5)))
    border = np.concatenate([rest[2], rest[-3], rest[:, 2], rest[:, -3]])
    return np.asarray(rest <= max(_FAINT_EDGE, 1.5 * float(np.percentile(border, 90))))


def _smoothed_rest(rest: type_levels, region: NDArray[np.bool_]) -> type_levels:
    """The mean of what a fit leaves over in the region's neighbourhood, fading to 0 far from the region."""
    weight = region.astype(np.float32)
    total = cv2.GaussianBlur(rest * weight[..., None], (0, 0), _REST_SIGMA_PX)
    share = cv2.GaussianBlur(weight, (0, 0), _REST_SIGMA_PX)
    return np.asarray(total / (share + 0.02)[..., None], dtype=np.float32)


def _at_search_size(rgba: type_rgba) -> type_levels:
    height, width = rgba.shape[:2]
    scale = min(1.0, _SEARCH_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # All four channels: to take three out of a large canvas first would cost more than the search itself.
    return cv2.resize(rgba, size, interpolation=cv2.INTER_AREA)[..., :3].astype(np.float32)


def _polynomial_terms(width: int, height: int, *, order: int) -> type_levels:
    """Products of powers of x and y up to an order; shape (height, width, terms)."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    powers = [x**i * y**j for i in range(order + 1) for j in range(order + 1 - i)]
    return np.stack(powers, axis=-1).astype(np.float32)


def _robust_fit(terms: type_levels, colours: type_levels) -> type_levels:
    """Least squares that leaves out, round by round, what strays far beyond the rest; shape (terms, 3)."""
    every = max(1, len(terms) // _MOST_SAMPLES)
    terms, colours = terms[::every], colours[::every]
    inside = np.ones(len(terms), bool)
    fitted = np.zeros((terms.shape[1], 3), np.float32)
    for _ in range(5):
        kept = terms[inside]
        # The normal equations are tiny and, with positions from -1 to 1, well enough conditioned in float64.
        square = (kept.T @ kept).astype(np.float64) + 1e-6 * np.eye(terms.shape[1])
        fitted = np.linalg.solve(square, (kept.T @ colours[inside]).astype(np.float64)).astype(np.float32)
        stray = worst_channel(terms @ fitted - colours)
        inside = stray <= max(2.0, 2.5 * float(np.median(stray)))
        if inside.sum() < terms.shape[1] * 4:
            break
    return fitted

"""Gradients as programs draw them: linear at any angle, or radial around any point.

Such a gradient is known everywhere once it is known along the border, so it is also known inside a ring, within the
narrow margin of a poster, and beside art that covers a good part of the border. It is found by consensus: the one
that most of the border agrees with wins, however far the rest strays.

Colours are sRGB levels 0 to 255; positions are shares of the canvas's longer side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cutout.masks import outer_region, shrunk

type_levels = NDArray[np.float32]

REACH: Final = 2.5
"""How far a pixel at search size may lie from a drawn gradient, in levels of its worst channel."""

_LEAST_SHARE: Final = 0.6
# Shorter stretches of border than this share of it, in the gradient's colour, are there by chance.
_LEAST_STRETCH_SHARE: Final = 0.012
_RING_SAMPLES: Final = 384
_REGION_SAMPLES: Final = 1_500
_LINEAR_TRIALS: Final = 256
_RADIAL_TRIALS: Final = 8
_CENTRES_A_SIDE: Final = 11
_FIT_ROUNDS: Final = 4
_GROWTH_ROUNDS: Final = 3
# Where a linear gradient explains this much of the border to about the rounding of levels, no other is looked for.
_CERTAIN_SHARE: Final = 0.98
_ROUNDING: Final = 0.8
# Levels of noise that weigh as much as the whole border.
_NOISE_WEIGHT: Final = 10.0
_FIRST_STEP: Final = 0.04
_LAST_STEP: Final = 0.002


@dataclass(frozen=True, slots=True)
class DrawnGradient:
    """A gradient that the border agrees on.

    Attributes:
        field: Its colour at every pixel of the search size; shape (h, w, 3).
        noise: Levels that what it explains strays from it, at the 98th percentile.
        border_share: Share of the border that it explains, 0 to 1.
    """

    field: type_levels
    noise: float
    border_share: float


@dataclass(frozen=True, slots=True)
class _Pixels:
    """Some pixels: places of shape (n, 2) as x, y, and colours of shape (n, 3)."""

    places: type_levels
    colours: type_levels


def find_drawn_gradient(small: type_levels) -> DrawnGradient | None:
    """The linear or radial gradient that most of the border agrees on, or None.

    Args:
        small: The picture at search size; shape (h, w, 3).
    """
    places = _places(small.shape[1], small.shape[0])
    ring = _ring_of(small, places)
    linear = _followed(small, places, ring, centre=None)
    if linear is not None and linear.border_share >= _CERTAIN_SHARE and linear.noise <= _ROUNDING:
        return linear
    radial = _followed(small, places, ring, centre=_centre_by_consensus(ring))
    found = [one for one in (linear, radial) if one is not None and one.border_share >= _LEAST_SHARE]
    return max(found, key=lambda one: one.border_share - one.noise / _NOISE_WEIGHT, default=None)


def explained_share(ring_stray: NDArray[np.float32]) -> float:
    """Share of the border, sample by sample on its way round, that lies within REACH in more than a short stretch."""
    near = ring_stray <= REACH
    if near.all():
        return 1.0
    shortest = max(3, round(_LEAST_STRETCH_SHARE * len(near)))
    first = int(np.argmin(near))
    turned = np.concatenate([near[first:], near[:first], [False]])
    ends = np.flatnonzero(np.diff(turned.astype(np.int8), prepend=0))
    lengths = ends[1::2] - ends[::2]
    return float(lengths[lengths >= shortest].sum() / len(near))


def worst_channel(difference: type_levels) -> type_levels:
    """The greatest of the three channels' differences, drops the last axis; numpy's own way takes ten times as long."""
    apart = np.abs(difference)
    return np.maximum(np.maximum(apart[..., 0], apart[..., 1]), apart[..., 2])


def ring_colours(small: type_levels) -> type_levels:
    """Colours along the border on its way round, evenly thinned out; shape (n, 3)."""
    return _ring_of(small, _places(small.shape[1], small.shape[0])).colours


def _places(width: int, height: int) -> type_levels:
    side = max(width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([(x + 0.5) / side, (y + 0.5) / side], axis=-1)


def _ring_of(small: type_levels, places: type_levels) -> _Pixels:
    def walk(values: type_levels) -> type_levels:
        way = np.concatenate([values[0], values[1:, -1], values[-1, -2::-1], values[-2:0:-1, 0]])
        every = max(1, len(way) // _RING_SAMPLES)
        return np.asarray(way[::every], dtype=np.float32)

    return _Pixels(walk(places), walk(small))


def _followed(
    small: type_levels, places: type_levels, ring: _Pixels, *, centre: tuple[float, float] | None
) -> DrawnGradient | None:
    """The gradient of that kind that fits the border, fitted again to what it explains inwards of there."""
    weights = _by_consensus(_terms(ring.places, centre), ring.colours, _LINEAR_TRIALS)
    weights = _trimmed_fit(_terms(ring.places, centre), ring.colours, weights)
    for _ in range(_GROWTH_ROUNDS):
        stray = worst_channel(_terms(places, centre) @ weights - small)
        region = shrunk(outer_region(np.where(stray <= REACH, 255, 0).astype(np.uint8)), 1) > 0
        if np.count_nonzero(region) < _RING_SAMPLES:
            break
        every = max(1, np.count_nonzero(region) // _REGION_SAMPLES)
        pixels = _Pixels(
            np.concatenate([ring.places, places[region][::every]]),
            np.concatenate([ring.colours, small[region][::every]]),
        )
        if centre is not None:
            centre = _tuned_centre(pixels, centre, weights)
        weights = _trimmed_fit(_terms(pixels.places, centre), pixels.colours, weights)
    ring_stray = worst_channel(_terms(ring.places, centre) @ weights - ring.colours)
    near = ring_stray <= REACH
    if not near.any():
        return None
    field = _terms(places, centre) @ weights
    return DrawnGradient(field, float(np.percentile(ring_stray[near], 98)), explained_share(ring_stray))


def _terms(places: type_levels, centre: tuple[float, float] | None) -> type_levels:
    """What colour is a weighted sum of: 1, x and y, or 1 and the distance from a centre; shape (..., terms)."""
    one = np.ones(places.shape[:-1], np.float32)
    if centre is None:
        return np.stack([one, places[..., 0], places[..., 1]], axis=-1)
    apart = np.hypot(places[..., 0] - np.float32(centre[0]), places[..., 1] - np.float32(centre[1]))
    return np.stack([one, apart], axis=-1)


def _by_consensus(terms: type_levels, colours: type_levels, trials: int) -> type_levels:
    """Weights through a few pixels chosen at random, of many tries those that most pixels agree with.

    The choice is seeded: the same artwork gives the same gradient.
    """
    return _best_trial(terms, colours, trials)[0]


def _best_trial(terms: type_levels, colours: type_levels, trials: int) -> tuple[type_levels, float]:
    """Weights of the best try, and its cost: how far the pixels stray, each by REACH at most."""
    count = terms.shape[1]
    chosen = np.random.default_rng(0).integers(len(terms), size=(trials, count))
    systems = terms[chosen].astype(np.float64)
    # Pixels at one place say nothing: a ridge keeps such systems solvable, and they lose.
    systems += 1e-6 * np.eye(count)
    weights = np.linalg.solve(systems, colours[chosen].astype(np.float64)).astype(np.float32)
    stray = worst_channel(terms @ weights - colours)
    costs = np.minimum(stray, REACH).sum(axis=1)
    best = int(np.argmin(costs))
    return weights[best], float(costs[best])


def _centre_by_consensus(ring: _Pixels) -> tuple[float, float]:
    """The centre, of a grid over the canvas, whose radial gradient the border agrees with most."""
    width, height = ring.places.max(axis=0)
    centres = [
        (float(x), float(y))
        for x in np.linspace(0, width, _CENTRES_A_SIDE)
        for y in np.linspace(0, height, _CENTRES_A_SIDE)
    ]
    costs = [_best_trial(_terms(ring.places, centre), ring.colours, _RADIAL_TRIALS)[1] for centre in centres]
    return centres[int(np.argmin(costs))]


def _tuned_centre(pixels: _Pixels, centre: tuple[float, float], weights: type_levels) -> tuple[float, float]:
    """The centre moved, in ever smaller steps, for as long as the pixels stray less."""

    def cost(at: tuple[float, float]) -> float:
        terms = _terms(pixels.places, at)
        fitted = _trimmed_fit(terms, pixels.colours, weights, rounds=2)
        return float(np.minimum(worst_channel(terms @ fitted - pixels.colours), REACH).sum())

    least, step = cost(centre), _FIRST_STEP
    while step >= _LAST_STEP:
        around = [(centre[0] + step * x, centre[1] + step * y) for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        costs = [cost(at) for at in around]
        best = int(np.argmin(costs))
        if costs[best] < least:
            centre, least = around[best], costs[best]
        else:
            step /= 2
    return centre


def _trimmed_fit(
    terms: type_levels, colours: type_levels, weights: type_levels, rounds: int = _FIT_ROUNDS
) -> type_levels:
    """Least squares over the pixels within REACH of what the last round fitted, starting with `weights`."""
    reach = 2 * REACH
    for _ in range(rounds):
        near = worst_channel(terms @ weights - colours) <= reach
        if np.count_nonzero(near) < 4 * terms.shape[1]:
            break
        kept = terms[near].astype(np.float64)
        square = kept.T @ kept + 1e-9 * np.eye(terms.shape[1])
        weights = np.linalg.solve(square, kept.T @ colours[near]).astype(np.float32)
        reach = REACH
    return weights

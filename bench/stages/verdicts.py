"""The figures against their bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from bench.quality.verdicts import Sense, Verdict
from bench.stages.cases import SIDES_PX
from bench.stages.measure import CaseFigures

MOST_RATIO: Final = {4: 3.0, 16: 2.5}
"""Times the codec floor that all default files may take, by megapixels."""
BYTES_PER_PX: Final = 12
FIXED_BYTES: Final = 150_000_000
"""Memory above the warmed idle process: so much a pixel, and so much besides."""


def most_bytes(figures: CaseFigures) -> int:
    """The bound on a case's memory."""
    return BYTES_PER_PX * figures.case.upload.side_px**2 + FIXED_BYTES


def memory_share(figures: CaseFigures) -> float | None:
    """A case's peak memory as a share of its bound; None where it could not be measured."""
    return None if figures.peak_bytes is None else figures.peak_bytes / most_bytes(figures)


def verdicts(measured: Sequence[CaseFigures]) -> list[Verdict]:
    """One per size for time, one per size for memory; the worst case decides each."""
    bounded = [figures for figures in measured if figures.case.is_bounded]
    found = []
    for megapixels in SIDES_PX:
        members = [figures for figures in bounded if figures.case.upload.megapixels == megapixels]
        if not members:
            continue
        name = f"{megapixels} MP: pipeline to codec floor"
        found.append(_worst(name, members, lambda one: one.ratio, MOST_RATIO[megapixels]))
        shares = [one for one in members if one.peak_bytes is not None]
        found.append(
            _worst(f"{megapixels} MP: peak memory to its bound", shares, lambda one: memory_share(one) or 0, 1)
        )
    return found


def _worst(name: str, members: Sequence[CaseFigures], figure: Callable[[CaseFigures], float], goal: float) -> Verdict:
    ranked = sorted(members, key=figure, reverse=True)
    named = tuple(f"{one.case.name} {figure(one):.2f}" for one in ranked[:3])
    return Verdict(name, figure(ranked[0]) if ranked else None, goal, Sense.AT_MOST, len(ranked), named)

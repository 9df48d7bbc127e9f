"""The figures against their targets. Who is left out is computed from the truth, never chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import Final

from bench.quality.backgrounds import CLEAN, PLAIN, Kind
from bench.quality.cases import ArtworkFigures, CompositeFigures, CutLineFigures, Half
from bench.quality.cut_line_metrics import CutLineMeasures
from bench.quality.cutout_metrics import auroc

BOUNDARY_NEAR_MOST: Final = 0.10
"""With more of its boundary than this within dE 4 of the background, art is left out: nobody could see its edge."""
ENCLOSED_NEAR_MOST: Final = 0.005
GOOD_IOU: Final = 0.9
LEAST_OF_EACH: Final = 10
WORST_NAMED: Final = 5
EXACT_MM: Final = 0.05
"""How near a cut line comes to the right one. Art is known to about a pixel where it is coarser than that, and a cutout
is right to a pixel; both bounds are shown."""
FINE_PIXEL_MM: Final = 25.4 / 150
"""Solid art of pixels no larger is held to EXACT_MM by what it must contain, if it brings its alpha. See-through art
ends where its pixels are half opaque, inside of where it was drawn to end."""


class Sense(StrEnum):
    """Which side of its goal a value must lie on, the goal included."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target and what was reached.

    Attributes:
        name: What is asked.
        value: What was reached; None where there was nothing to measure.
        goal: What it takes.
        sense: Whether the value must be at least the goal, or at most.
        count: Over how many.
        worst: The worst offenders, named with their figure.
    """

    name: str
    value: float | None
    goal: float
    sense: Sense
    count: int
    worst: tuple[str, ...]

    @property
    def is_met(self) -> bool:
        """Whether the target is reached; nothing measured reaches nothing."""
        if self.value is None:
            return False
        return bool(self.value >= self.goal if self.sense is Sense.AT_LEAST else self.value <= self.goal)


@dataclass(frozen=True, slots=True)
class Row:
    """Means over the composites of one row of the table; None where the row has no such figure."""

    name: str
    count: int
    iou: float
    least_iou: float
    alpha_error: float
    boundary_f: float
    least_boundary_f: float
    fringe: float
    fringe_naive: float
    holes_iou: float | None
    hole_recall: float | None
    confidence: float


@dataclass(frozen=True, slots=True)
class ConfidenceFigures:
    """How well confidence tells good from bad, on one half or on both."""

    half: str
    photo_auroc: float | None
    photo_good: int
    photo_bad: int
    plain_auroc: float | None
    plain_good: int
    plain_bad: int
    excluded: int
    excluded_most: float | None
    included_least: float | None


def is_excluded(figures: CompositeFigures) -> bool:
    """Whether too much of the true boundary looks like the background."""
    return figures.boundary_near is not None and figures.boundary_near > BOUNDARY_NEAR_MOST


def is_counted(figures: CompositeFigures) -> bool:
    """Whether a composite counts towards the targets of plain backgrounds."""
    return figures.kind in PLAIN and not figures.semi_transparent and not is_excluded(figures)


def has_tellable_holes(figures: CompositeFigures) -> bool:
    """Whether the holes option can know what is hole and what is art."""
    return (
        is_counted(figures)
        and figures.kind in CLEAN
        and figures.enclosed_near is not None
        and figures.enclosed_near <= ENCLOSED_NEAR_MOST
    )


def composites_of(artworks: Iterable[ArtworkFigures], *, drawn: bool) -> list[CompositeFigures]:
    """The composites of the drawn artworks, or of those added."""
    return [figures for artwork in artworks for figures in artwork.composites if figures.drawn == drawn]


def cut_lines_of(artworks: Iterable[ArtworkFigures], *, drawn: bool, source: str) -> list[CutLineFigures]:
    """The cut lines from one source whose art can be told from what it was on."""
    return [
        figures
        for artwork in artworks
        for figures in artwork.cut_lines
        if figures.drawn == drawn
        and figures.source == source
        and figures.boundary_near <= BOUNDARY_NEAR_MOST
        and not (figures.semi_transparent and source != "alpha")
    ]


def rows(composites: Sequence[CompositeFigures]) -> list[Row]:
    """One row per kind, then the clean kinds together, then what does not count towards targets."""
    groups: list[tuple[str, list[CompositeFigures]]] = [
        (kind.value, [one for one in composites if one.kind is kind and (is_counted(one) or kind not in PLAIN)])
        for kind in Kind
    ]
    groups.insert(len(CLEAN), ("clean together", [one for one in composites if one.kind in CLEAN and is_counted(one)]))
    groups.append(("semi-transparent", [one for one in composites if one.kind in PLAIN and one.semi_transparent]))
    groups.append(("excluded", [one for one in composites if is_excluded(one) and not one.semi_transparent]))
    return [_row(name, members) for name, members in groups if members]


def cutout_verdicts(composites: Sequence[CompositeFigures]) -> list[Verdict]:
    """The targets of cutouts, in the order of the table."""
    clean = [one for one in composites if one.kind in CLEAN and is_counted(one)]
    jpeg = [one for one in composites if one.kind is Kind.JPEG and is_counted(one)]
    excluded = [one for one in composites if is_excluded(one)]
    tellable = [one for one in composites if has_tellable_holes(one)]
    photos = [one for one in composites if one.kind is Kind.PHOTO]
    judged = confidence_figures(composites, Half.JUDGING)
    by_iou = _worst(clean, lambda one: one.iou)
    return [
        Verdict("clean: mean IoU", _mean(clean, lambda one: one.iou), 0.985, Sense.AT_LEAST, len(clean), by_iou),
        Verdict("clean: least IoU", _least(clean, lambda one: one.iou), 0.95, Sense.AT_LEAST, len(clean), by_iou),
        Verdict(
            "clean: mean boundary F at 2 px",
            _mean(clean, lambda one: one.boundary_f),
            0.97,
            Sense.AT_LEAST,
            len(clean),
            _worst(clean, lambda one: one.boundary_f),
        ),
        Verdict(
            "clean: fringe colour error, share of naive",
            _fringe_share(clean),
            0.5,
            Sense.AT_MOST,
            len(clean),
            _worst(clean, lambda one: one.fringe - 0.5 * one.fringe_naive, most=True),
        ),
        Verdict(
            "jpeg: mean IoU",
            _mean(jpeg, lambda one: one.iou),
            0.975,
            Sense.AT_LEAST,
            len(jpeg),
            _worst(jpeg, lambda one: one.iou),
        ),
        Verdict(
            "excluded: most confidence",
            max((one.confidence for one in excluded), default=0.0),
            0.4999,
            Sense.AT_MOST,
            len(excluded),
            _worst([one for one in excluded if one.confidence >= 0.5], lambda one: one.confidence, most=True, count=50),
        ),
        Verdict(
            "holes on: mean IoU",
            _mean(tellable, _holes_iou),
            0.98,
            Sense.AT_LEAST,
            len(tellable),
            _worst(tellable, _holes_iou),
        ),
        Verdict(
            "photo: AUROC of confidence, judging half",
            judged.photo_auroc if min(judged.photo_good, judged.photo_bad) >= LEAST_OF_EACH else None,
            0.85,
            Sense.AT_LEAST,
            judged.photo_good + judged.photo_bad,
            _worst([one for one in photos if one.iou < GOOD_IOU], lambda one: one.confidence, most=True),
        ),
    ]


def cut_line_verdicts(cut_lines: Sequence[CutLineFigures]) -> list[Verdict]:
    """The targets of cut lines from one source."""
    drawn = [(one.art, one.pixel_mm, one.measures) for one in cut_lines if one.pixel_mm and one.measures]
    see_through = {one.art for one in cut_lines if one.semi_transparent}
    fine = [line for line in drawn if line[1] <= FINE_PIXEL_MM and line[0] not in see_through]
    refused = tuple(f"{one.art} {one.refusal}" for one in cut_lines if one.measures is None)

    def most(name: str, goal: float, figure: Callable[[CutLineMeasures], float]) -> Verdict:
        ranked = sorted(((figure(measures), art) for art, _, measures in drawn), reverse=True)
        named = tuple(f"{art} {value:.3f}" for value, art in ranked[:WORST_NAMED] if value > goal)
        return Verdict(name, ranked[0][0] if ranked else None, goal, Sense.AT_MOST, len(drawn), named)

    def to_a_pixel(name: str, figure: Callable[[CutLineMeasures], float]) -> Verdict:
        """By how much the figure passes EXACT_MM, or a pixel where that is more; the worst are named in mm."""
        ranked = sorted(
            ((figure(one) / max(EXACT_MM, pixel_mm), f"{art} {figure(one):.3f} mm") for art, pixel_mm, one in drawn),
            reverse=True,
        )
        named = tuple(text for _, text in ranked[:WORST_NAMED])
        return Verdict(name, ranked[0][0] if ranked else None, 1, Sense.AT_MOST, len(drawn), named)

    outside = sorted(((one.out_of_line_mm, art) for art, _, one in fine), reverse=True)
    tightest = sorted((measures.min_radius_mm, art) for art, _, measures in drawn)
    found = [
        Verdict("refused", float(len(refused)), 0, Sense.AT_MOST, len(cut_lines), refused),
        to_a_pixel("art standing out: of 0.05 mm or a pixel", lambda one: one.out_of_line_mm),
        to_a_pixel("greatest deviation: of 0.05 mm or a pixel", lambda one: one.max_deviation_mm),
        most("mean deviation, mm", EXACT_MM, lambda one: one.mean_deviation_mm),
        most("crossings", 0, lambda one: one.crossings),
        Verdict(
            "least radius, mm",
            tightest[0][0] if tightest else None,
            1.0,
            Sense.AT_LEAST,
            len(drawn),
            tuple(f"{art} {value:.3f}" for value, art in tightest[:WORST_NAMED] if value < 1.0),
        ),
    ]
    if any(one.source == "alpha" for one in cut_lines):
        worst = tuple(f"{art} {value:.3f}" for value, art in outside[:WORST_NAMED])
        name, value = "solid art standing out, 150 dpi and finer, mm", outside[0][0] if outside else None
        found.insert(1, Verdict(name, value, EXACT_MM, Sense.AT_MOST, len(fine), worst))
    return found


def confidence_figures(composites: Sequence[CompositeFigures], half: Half | None) -> ConfidenceFigures:
    """Over one half, or over both."""
    members = [one for one in composites if half is None or one.half is half]
    photo_good, photo_bad = _by_quality(one for one in members if one.kind is Kind.PHOTO)
    plain_good, plain_bad = _by_quality(one for one in members if one.kind in PLAIN and not one.semi_transparent)
    excluded = [one.confidence for one in members if is_excluded(one)]
    return ConfidenceFigures(
        half="both" if half is None else half.value,
        photo_auroc=auroc(photo_good, photo_bad),
        photo_good=len(photo_good),
        photo_bad=len(photo_bad),
        plain_auroc=auroc(plain_good, plain_bad),
        plain_good=len(plain_good),
        plain_bad=len(plain_bad),
        excluded=len(excluded),
        excluded_most=max(excluded, default=None),
        included_least=min((one.confidence for one in members if is_counted(one)), default=None),
    )


def label(figures: CompositeFigures) -> str:
    """Artwork and background, as tables name a composite."""
    return f"{figures.art}/{figures.background}"


def _row(name: str, members: Sequence[CompositeFigures]) -> Row:
    holes = [one.holes_iou for one in members if has_tellable_holes(one) and one.holes_iou is not None]
    recalls = [
        (one.hole_recall, one.hole_share) for one in members if has_tellable_holes(one) and one.hole_recall is not None
    ]
    return Row(
        name=name,
        count=len(members),
        iou=fmean(one.iou for one in members),
        least_iou=min(one.iou for one in members),
        alpha_error=fmean(one.alpha_error for one in members),
        boundary_f=fmean(one.boundary_f for one in members),
        least_boundary_f=min(one.boundary_f for one in members),
        fringe=fmean(one.fringe for one in members),
        fringe_naive=fmean(one.fringe_naive for one in members),
        holes_iou=fmean(holes) if holes else None,
        # Weighted by area: the gaps of a few pixels between hairs are no holes anybody asked for.
        hole_recall=fmean((r for r, _ in recalls), weights=[share for _, share in recalls]) if recalls else None,
        confidence=fmean(one.confidence for one in members),
    )


def _holes_iou(figures: CompositeFigures) -> float:
    return 0.0 if figures.holes_iou is None else figures.holes_iou


def _by_quality(composites: Iterable[CompositeFigures]) -> tuple[list[float], list[float]]:
    """Confidences where the cutout is good, and where it is not."""
    members = list(composites)
    good = [one.confidence for one in members if one.iou >= GOOD_IOU]
    return good, [one.confidence for one in members if one.iou < GOOD_IOU]


def _mean(members: Sequence[CompositeFigures], figure: Callable[[CompositeFigures], float]) -> float | None:
    return fmean(figure(one) for one in members) if members else None


def _least(members: Sequence[CompositeFigures], figure: Callable[[CompositeFigures], float]) -> float | None:
    return min((figure(one) for one in members), default=None)


def _fringe_share(members: Sequence[CompositeFigures]) -> float | None:
    naive = sum(one.fringe_naive for one in members)
    return sum(one.fringe for one in members) / naive if naive else None


def _worst(
    members: Sequence[CompositeFigures],
    figure: Callable[[CompositeFigures], float],
    *,
    most: bool = False,
    count: int = WORST_NAMED,
) -> tuple[str, ...]:
    ranked = sorted(members, key=lambda one: (-figure(one) if most else figure(one), label(one)))
    return tuple(f"{label(one)} {figure(one):.3f}" for one in ranked[:count])

"""The figures as a table on the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.quality.cases import ArtworkFigures, CutLineFigures, Half
from bench.quality.verdicts import (
    ConfidenceFigures,
    Row,
    Verdict,
    composites_of,
    confidence_figures,
    cut_line_verdicts,
    cut_lines_of,
    cutout_verdicts,
    is_excluded,
    label,
    rows,
)

DIGITS = 4
CUT_LINE_SOURCES = ("alpha", "white")


def print_report(artworks: Sequence[ArtworkFigures]) -> None:
    """Prints the tables of the drawn artworks, and of those added where there are any."""
    for drawn in (True, False):
        composites = composites_of(artworks, drawn=drawn)
        if not composites:
            continue
        print(f"\n{'Drawn' if drawn else 'Added'} artworks: {len({one.art for one in composites})}")
        _print_rows(rows(composites))
        _print_verdicts(cutout_verdicts(composites))
        excluded = [one for one in composites if is_excluded(one)]
        named = ", ".join(f"{label(one)} {one.confidence:.2f}" for one in excluded)
        print(f"\nexcluded by computation, with confidence: {named or 'none'}")
        _print_confidence([confidence_figures(composites, half) for half in (Half.TUNING, Half.JUDGING, None)])
        for source in CUT_LINE_SOURCES:
            lines = cut_lines_of(artworks, drawn=drawn, source=source)
            print(f"\ncut lines from {source}: {_density(lines)}")
            _print_verdicts(cut_line_verdicts(lines))


def write_json(artworks: Sequence[ArtworkFigures], path: Path) -> None:
    """Writes every figure; the same figures give the same bytes."""
    report: dict[str, Any] = {}
    for drawn in (True, False):
        composites = composites_of(artworks, drawn=drawn)
        if not composites:
            continue
        report["drawn" if drawn else "added"] = {
            "rows": [_rounded(asdict(row)) for row in rows(composites)],
            "verdicts": [_verdict(verdict) for verdict in cutout_verdicts(composites)],
            "confidence": [
                _rounded(asdict(confidence_figures(composites, half))) for half in (Half.TUNING, Half.JUDGING, None)
            ],
            "cut_line_verdicts": {
                source: [
                    _verdict(verdict)
                    for verdict in cut_line_verdicts(cut_lines_of(artworks, drawn=drawn, source=source))
                ]
                for source in CUT_LINE_SOURCES
            },
            "composites": [_rounded(asdict(one)) for one in composites],
            "cut_lines": [
                _rounded(asdict(one)) for artwork in artworks for one in artwork.cut_lines if one.drawn == drawn
            ],
        }
    path.parent.mkdir(exist_ok=True)
    path.write_text(_one_record_a_line(report) + "\n")


def _print_rows(table: Iterable[Row]) -> None:
    print(
        f"{'':<18}{'n':>4}{'IoU':>8}{'least':>8}{'MAE':>8}{'F 2px':>8}{'least':>8}{'fringe':>8}{'naive':>8}"
        f"{'holes':>8}{'recall':>8}{'conf.':>7}"
    )
    for row in table:
        print(
            f"{row.name:<18}{row.count:>4}{row.iou:>8.4f}{row.least_iou:>8.4f}{row.alpha_error:>8.4f}"
            f"{row.boundary_f:>8.4f}{row.least_boundary_f:>8.4f}{row.fringe:>8.2f}{row.fringe_naive:>8.2f}"
            f"{_or_dash(row.holes_iou):>8}{_or_dash(row.hole_recall):>8}{row.confidence:>7.2f}"
        )


def _print_verdicts(verdicts: Iterable[Verdict]) -> None:
    print()
    for verdict in verdicts:
        print(
            f"{'met' if verdict.is_met else 'MISSED':<8}{verdict.name:<44}{_or_dash(verdict.value):>8}"
            f" {verdict.sense} {verdict.goal:<6g} n={verdict.count}"
        )
        if verdict.worst:
            print(f"        worst: {', '.join(verdict.worst)}")


def _print_confidence(halves: Iterable[ConfidenceFigures]) -> None:
    print(
        f"\n{'confidence':<12}{'photo AUROC':>12}{'good/bad':>10}{'plain AUROC':>13}{'good/bad':>10}"
        f"{'excluded':>10}{'most':>7}{'counted, least':>16}"
    )
    for one in halves:
        photo, plain = f"{one.photo_good}/{one.photo_bad}", f"{one.plain_good}/{one.plain_bad}"
        print(
            f"{one.half:<12}{_or_dash(one.photo_auroc):>12}{photo:>10}{_or_dash(one.plain_auroc):>13}{plain:>10}"
            f"{one.excluded:>10}{_or_dash(one.excluded_most, 2):>7}{_or_dash(one.included_least, 2):>16}"
        )


def _density(lines: Sequence[CutLineFigures]) -> str:
    densities = sorted(one.measures.segments_per_100_mm for one in lines if one.measures is not None)
    if not densities:
        return "none"
    undecided_mm = sum(one.measures.undecided_mm for one in lines if one.measures is not None)
    return (
        f"segments per 100 mm {densities[len(densities) // 2]:.1f} in the middle, {densities[-1]:.1f} at most; "
        f"{undecided_mm:.0f} mm not judged, where 0.01 mm of radius closes a gap or leaves it open"
    )


def _or_dash(value: float | None, digits: int = DIGITS) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {**_rounded(asdict(verdict)), "is_met": verdict.is_met}


def _rounded(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, DIGITS)
        if isinstance(value, float)
        else _rounded(value)
        if isinstance(value, dict)
        else value
        for name, value in record.items()
    }


def _one_record_a_line(value: Any, depth: int = 0) -> str:
    """JSON whose records of plain values stand on one line each."""
    pad = "  " * (depth + 1)
    if isinstance(value, dict) and any(isinstance(entry, dict | list) for entry in value.values()) and depth < 3:
        body = ",\n".join(f"{pad}{json.dumps(key)}: {_one_record_a_line(one, depth + 1)}" for key, one in value.items())
        return f"{{\n{body}\n{'  ' * depth}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        body = ",\n".join(f"{pad}{json.dumps(one)}" for one in value)
        return f"[\n{body}\n{'  ' * depth}]"
    return json.dumps(value)

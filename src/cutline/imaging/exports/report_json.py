"""The report as JSON: the message cutline.v1.Report with the field names of its proto file."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from enum import StrEnum
from typing import Final

from cutline.domain.outputs import (
    BoxMm,
    CutoutMethod,
    CutPath,
    CutRole,
    Finding,
    FindingLevel,
    Geometry,
    OutputFormat,
    PrintVerdict,
    SizeSource,
)
from cutline.domain.sticker_spec import CutType, IslandPolicy, LinerShape, ResolvedSpec

_PREFIXES: Final[dict[type[StrEnum], str]] = {
    CutType: "CUT_TYPE_",
    IslandPolicy: "ISLAND_POLICY_",
    LinerShape: "LINER_SHAPE_",
    CutoutMethod: "CUTOUT_METHOD_",
    OutputFormat: "OUTPUT_FORMAT_",
    FindingLevel: "FINDING_LEVEL_",
    PrintVerdict: "PRINT_VERDICT_",
    SizeSource: "SIZE_SOURCE_",
    CutRole: "ROLE_",
}


def report_json(
    *,
    spec: ResolvedSpec,
    geometry: Geometry,
    findings: tuple[Finding, ...],
    print_verdict: PrintVerdict,
    cutout_method: CutoutMethod,
    cutout_confidence: float,
    cut_paths: tuple[CutPath, ...],
) -> bytes:
    """The report; every field is written, absent measures are left out."""
    report = {
        "resolved_spec": _spec(spec),
        "geometry": _message(geometry),
        "findings": [_message(finding) for finding in findings],
        "print_verdict": _enum(print_verdict),
        "cutout_method": _enum(cutout_method),
        "cutout_confidence": cutout_confidence,
        "cut_paths": [_message(path) for path in cut_paths],
    }
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _spec(spec: ResolvedSpec) -> dict[str, object]:
    message = _message(spec)
    scenes = message.pop("mockup_scenes", None)
    if scenes is not None:
        message["mockups"] = {"scenes": scenes}
    return message


def _message(value: ResolvedSpec | Geometry | Finding | CutPath | BoxMm) -> dict[str, object]:
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: _plain(item) for name, item in named.items() if item is not None}


def _plain(value: object) -> object:
    if isinstance(value, StrEnum):
        return _enum(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, BoxMm):
        return asdict(value)
    return value


def _enum(value: StrEnum) -> str:
    return _PREFIXES[type(value)] + value.value

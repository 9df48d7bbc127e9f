"""What a run makes: files, findings and measures, as plain values.

Frame of every mm coordinate: the origin is the top left corner of the finished sticker (the PDF's TrimBox, the outer
cut's bounding box), x grows to the right, y grows downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OutputFormat(StrEnum):
    """A file that can be made of a design."""

    CUTOUT_PNG = "CUTOUT_PNG"
    CUT_LINE_SVG = "CUT_LINE_SVG"
    CUT_LINE_DXF = "CUT_LINE_DXF"
    PRINT_PDF = "PRINT_PDF"
    PREVIEW_PNG = "PREVIEW_PNG"
    REPORT_JSON = "REPORT_JSON"


FILE_NAMES: dict[OutputFormat, str] = {
    OutputFormat.CUTOUT_PNG: "cutout.png",
    OutputFormat.CUT_LINE_SVG: "cutline.svg",
    OutputFormat.CUT_LINE_DXF: "cutline.dxf",
    OutputFormat.PRINT_PDF: "print.pdf",
    OutputFormat.PREVIEW_PNG: "preview.png",
    OutputFormat.REPORT_JSON: "report.json",
}
MEDIA_TYPES: dict[OutputFormat, str] = {
    OutputFormat.CUTOUT_PNG: "image/png",
    OutputFormat.CUT_LINE_SVG: "image/svg+xml",
    OutputFormat.CUT_LINE_DXF: "image/vnd.dxf",
    OutputFormat.PRINT_PDF: "application/pdf",
    OutputFormat.PREVIEW_PNG: "image/png",
    OutputFormat.REPORT_JSON: "application/json",
}


class CutoutMethod(StrEnum):
    """How the background is told from the art."""

    AUTO = "AUTO"
    ALPHA = "ALPHA"
    FLAT = "FLAT"
    GRABCUT = "GRABCUT"
    MODEL = "MODEL"


class FindingLevel(StrEnum):
    """How serious a finding is."""

    NOT_APPLICABLE = "NOT_APPLICABLE"
    PASS = "PASS"  # noqa: S105  (a verdict, not a password)
    WARN = "WARN"
    FAIL = "FAIL"


class PrintVerdict(StrEnum):
    """The worst finding of a design."""

    PASS = "PASS"  # noqa: S105
    WARN = "WARN"
    FAIL = "FAIL"


class SizeSource(StrEnum):
    """Where the finished size came from."""

    EXPLICIT = "EXPLICIT"
    DEFAULT = "DEFAULT"


class CutRole(StrEnum):
    """What a cut path cuts: sticker and liner, the sticker only, or a hole inside it."""

    THROUGH = "THROUGH"
    KISS = "KISS"
    INNER = "INNER"


@dataclass(frozen=True, slots=True)
class BoxMm:
    """A rectangle in mm; x_mm and y_mm are its top left corner."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one print-readiness check.

    `value` and `limit` are in `unit`; `message` says what was found and `fix` how to mend it, a plain sentence each.
    """

    code: str
    level: FindingLevel
    message: str
    fix: str = ""
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    place: BoxMm | None = None


@dataclass(frozen=True, slots=True)
class Geometry:
    """Measures of a finished sticker; each field as in proto/cutline/v1/report.proto."""

    cut_width_mm: float
    cut_height_mm: float
    art_width_mm: float
    art_height_mm: float
    effective_dpi: float
    cut_length_mm: float
    closing_radius_mm: float
    pieces: int
    holes: int
    segments: int
    size_source: SizeSource
    canvas_box: BoxMm
    cut_box: BoxMm
    shape_min_radius_mm: float


@dataclass(frozen=True, slots=True)
class CutPath:
    """A closed path the blade follows: SVG path data in mm with absolute M, C and Z commands."""

    role: CutRole
    path_data: str


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file a run made."""

    kind: OutputFormat
    data: bytes

    @property
    def media_type(self) -> str:
        """Media type of `data`."""
        return MEDIA_TYPES[self.kind]


def print_verdict(findings: tuple[Finding, ...]) -> PrintVerdict:
    """The worst level among the findings."""
    levels = {finding.level for finding in findings}
    if FindingLevel.FAIL in levels:
        return PrintVerdict.FAIL
    return PrintVerdict.WARN if FindingLevel.WARN in levels else PrintVerdict.PASS

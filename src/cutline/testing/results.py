"""What a run of the fake leaves: measures that follow from the spec, and a small file of every kind asked for."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Final

from google.protobuf import json_format

from cutline.contract.file_names import artifact_file_name, mockup_file_name
from cutline.contract.report import finding_to_wire, geometry_to_wire
from cutline.contract.specs import spec_to_wire
from cutline.domain.outputs import (
    MEDIA_TYPES,
    BoxMm,
    Finding,
    FindingLevel,
    Geometry,
    OutputFormat,
    SizeSource,
    print_verdict,
)
from cutline.domain.scenes import SCENE_IDS
from cutline.domain.sticker_spec import DEFAULT_LONGER_SIDE_MM, ResolvedSpec
from cutline.testing.outcomes import Ready
from cutline.testing.placeholders import (
    MOCKUP_HEIGHT_PX,
    MOCKUP_JPEG,
    MOCKUP_WIDTH_PX,
    cut_path_data,
    dxf,
    pdf,
    png,
    svg,
)
from cutline.v1 import design_pb2, report_pb2
from cutline.v1 import sticker_spec_pb2 as spec_pb

EFFECTIVE_DPI: Final = 300.0
CUTOUT_SIDE_PX: Final = 4
MOCKUP_MEDIA_TYPE: Final = "image/jpeg"

MOCKUPS_UNAVAILABLE: Final = Finding(
    code="MOCKUPS_UNAVAILABLE",
    level=FindingLevel.NOT_APPLICABLE,
    message="The mockups could not be rendered.",
    fix="The print files are complete. Reprocess the design to have the mockups rendered again.",
)


@dataclass(frozen=True, slots=True)
class File:
    """A file to be fetched."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class RunResults:
    """What one generation made.

    Attributes:
        design: A message that holds nothing but the results of imaging: measures, findings, files and verdict.
        files: The files by name, mockups among them.
        scenes: Scenes to render; empty where no mockups are wanted.
    """

    design: design_pb2.Design
    files: dict[str, File]
    scenes: tuple[str, ...]

    @property
    def mockups(self) -> list[design_pb2.Mockup]:
        """The mockups, one of each scene."""
        return [
            design_pb2.Mockup(
                scene=scene,
                generation=self.design.generation,
                media_type=MOCKUP_MEDIA_TYPE,
                size_bytes=len(MOCKUP_JPEG),
                sha256=hashlib.sha256(MOCKUP_JPEG).hexdigest(),
                width_px=MOCKUP_WIDTH_PX,
                height_px=MOCKUP_HEIGHT_PX,
            )
            for scene in self.scenes
        ]


def make_results(spec: ResolvedSpec, outcome: Ready, *, generation: int) -> RunResults:
    """The results of a run.

    Args:
        spec: What was asked for.
        outcome: What the test wants to be found.
        generation: Number of the run.
    """
    report = _report(spec, outcome)
    files = [_file(kind, report, outcome) for kind in spec.output_formats]
    design = design_pb2.Design(
        generation=generation,
        geometry=report.geometry,
        findings=report.findings,
        print_verdict=report.print_verdict,
        cutout_method=report.cutout_method,
        cutout_confidence=report.cutout_confidence,
        artifacts=sorted(
            (
                _artifact(kind, file, generation=generation)
                for kind, file in zip(spec.output_formats, files, strict=True)
            ),
            key=lambda artifact: artifact.kind,
        ),
    )
    # No list of scenes means every one, an empty list means none.
    scenes = tuple(sorted(SCENE_IDS if spec.mockup_scenes is None else spec.mockup_scenes))
    pictures = (File(mockup_file_name(scene, MOCKUP_MEDIA_TYPE), MOCKUP_MEDIA_TYPE, MOCKUP_JPEG) for scene in scenes)
    return RunResults(design, {file.name: file for file in (*files, *pictures)}, scenes)


def _report(spec: ResolvedSpec, outcome: Ready) -> report_pb2.Report:
    geometry = _geometry(spec)
    path = cut_path_data(geometry.cut_width_mm, geometry.cut_height_mm)
    return report_pb2.Report(
        resolved_spec=spec_to_wire(spec),
        geometry=geometry_to_wire(asdict(geometry)),
        findings=[finding_to_wire(asdict(finding)) for finding in outcome.findings],
        print_verdict=report_pb2.PrintVerdict.Value(f"PRINT_VERDICT_{print_verdict(outcome.findings)}"),
        cutout_method=spec_pb.CutoutMethod.Value(f"CUTOUT_METHOD_{outcome.cutout_method}"),
        cutout_confidence=outcome.cutout_confidence,
        cut_paths=[report_pb2.CutPath(role=report_pb2.CutPath.ROLE_THROUGH, path_data=path)],
    )


def _geometry(spec: ResolvedSpec) -> Geometry:
    """Measures of a rectangle: a side that follows from the artwork is as long as the other."""
    width_mm = spec.width_mm or spec.height_mm or DEFAULT_LONGER_SIDE_MM
    height_mm = spec.height_mm or width_mm
    sticker = BoxMm(0.0, 0.0, width_mm, height_mm)
    explicit = spec.width_mm is not None or spec.height_mm is not None
    return Geometry(
        cut_width_mm=width_mm,
        cut_height_mm=height_mm,
        art_width_mm=width_mm - 2 * spec.border_mm,
        art_height_mm=height_mm - 2 * spec.border_mm,
        effective_dpi=EFFECTIVE_DPI,
        cut_length_mm=2 * (width_mm + height_mm),
        closing_radius_mm=spec.min_radius_mm + 4 * spec.smoothing,
        pieces=1,
        holes=0,
        segments=4,
        size_source=SizeSource.EXPLICIT if explicit else SizeSource.DEFAULT,
        canvas_box=sticker,
        cut_box=sticker,
        shape_min_radius_mm=0.0,
    )


def _file(kind: OutputFormat, report: report_pb2.Report, outcome: Ready) -> File:
    data = outcome.files[kind] if kind in outcome.files else _placeholder(kind, report)
    return File(artifact_file_name(kind), MEDIA_TYPES[kind], data)


def _placeholder(kind: OutputFormat, report: report_pb2.Report) -> bytes:
    width_mm, height_mm = report.geometry.cut_width_mm, report.geometry.cut_height_mm
    match kind:
        case OutputFormat.CUT_LINE_SVG:
            return svg(width_mm, height_mm)
        case OutputFormat.CUT_LINE_DXF:
            return dxf(width_mm, height_mm)
        case OutputFormat.PRINT_PDF:
            return pdf(width_mm, height_mm)
        case OutputFormat.REPORT_JSON:
            return json_format.MessageToJson(report, preserving_proto_field_name=True).encode()
        case OutputFormat.CUTOUT_PNG | OutputFormat.PREVIEW_PNG:
            return png(CUTOUT_SIDE_PX, CUTOUT_SIDE_PX)


def _artifact(kind: OutputFormat, file: File, *, generation: int) -> design_pb2.Artifact:
    return design_pb2.Artifact(
        kind=spec_pb.OutputFormat.Value(f"OUTPUT_FORMAT_{kind}"),
        generation=generation,
        media_type=file.media_type,
        size_bytes=len(file.data),
        sha256=hashlib.sha256(file.data).hexdigest(),
    )

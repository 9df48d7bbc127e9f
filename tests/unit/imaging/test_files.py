"""SVG, DXF, PNG and report of a sticker."""

from __future__ import annotations

import io
import json
from itertools import combinations
from typing import Any
from xml.etree import ElementTree as ET

import ezdxf
import numpy as np
import pytest
import shapely
from google.protobuf import json_format
from PIL import Image
from shapely import MultiPoint

from cutline.domain.outputs import OutputFormat
from cutline.domain.sticker_spec import CutType, LinerShape, StickerSpec, resolve
from cutline.imaging.exports.png import png_bytes
from cutline.imaging.model import StickerResult
from cutline.imaging.pipeline import make_sticker
from cutline.v1 import sticker_spec_pb2
from cutline.v1.report_pb2 import CutPath, FindingLevel, PrintVerdict, Report, SizeSource
from tests.support.drawn_art import artwork_of, cutout_of, disc, drawn, off_centre_l, ring, star
from tests.support.print_files import PrintPdf, apart_mm, dxf_points, path_points, svg_points

SHAPES = {"disc": disc, "l": off_centre_l, "star": star, "ring": ring}


def made(shape: str, **wishes: Any) -> tuple[StickerResult, dict[OutputFormat, bytes]]:
    """A sticker of a drawn shape, and its files by kind."""
    rgba = drawn(SHAPES[shape]())
    result = make_sticker(artwork_of(rgba), cutout_of(rgba), resolve(StickerSpec(**wishes)))
    return result, {file.kind: file.data for file in result.files}


@pytest.mark.parametrize("cut_type", CutType)
@pytest.mark.parametrize("shape", SHAPES)
def test_svg_dxf_pdf_and_report_hold_the_same_paths(shape: str, cut_type: CutType) -> None:
    """Each path of the report lies within 0.02 mm of the one in SVG, DXF and PDF, in the same order."""
    result, files = made(shape, cut_type=cut_type, inner_cuts=True, border_mm=1.5)

    paths = [path_points(path.path_data) for path in result.cut_paths]
    lines = {
        "svg": svg_points(files[OutputFormat.CUT_LINE_SVG]),
        "dxf": dxf_points(files[OutputFormat.CUT_LINE_DXF]),
        "pdf": [cut.points for cut in PrintPdf(files[OutputFormat.PRINT_PDF]).cuts()],
    }
    for points in lines.values():
        assert len(points) == len(paths)
        for path in paths:
            assert min(apart_mm(path, other) for other in points) <= 0.02


@pytest.mark.parametrize("border_mm", [3.0, 1.0, 0.0, -1.0])
@pytest.mark.parametrize("shape", ["disc", "l", "star"])
def test_svg_and_dxf_keep_the_border_from_the_art_too(shape: str, border_mm: float) -> None:
    """Laid on the printed art, each file's path keeps the border within 0.1 mm, and they agree within 0.02 mm."""
    _, files = made(shape, border_mm=border_mm, width_mm=60.0, min_radius_mm=0.1, smoothing=0.0)
    pdf = PrintPdf(files[OutputFormat.PRINT_PDF])
    paths = {
        "svg": svg_points(files[OutputFormat.CUT_LINE_SVG])[0],
        "dxf": dxf_points(files[OutputFormat.CUT_LINE_DXF])[0],
        "pdf": pdf.cuts()[0].points,
    }
    edge = MultiPoint(pdf.art().edge_points())

    for points in paths.values():
        assert np.abs(shapely.distance(edge, shapely.points(points)) - abs(border_mm)).max() <= 0.1
    assert max(apart_mm(first, second) for first, second in combinations(paths.values(), 2)) <= 0.02


@pytest.mark.parametrize("shape", SHAPES)
def test_the_svg_carries_millimetres(shape: str) -> None:
    """Width and height are in mm, one user unit is one, and the path fills the page at the size asked for."""
    _, files = made(shape, width_mm=48.0)
    root = ET.fromstring(files[OutputFormat.CUT_LINE_SVG])  # noqa: S314  (the project's own file)

    assert root.attrib["width"].endswith("mm")
    assert float(root.attrib["width"].removesuffix("mm")) == pytest.approx(48, abs=0.005)
    assert root.attrib["viewBox"] == f"0 0 {root.attrib['width'][:-2]} {root.attrib['height'][:-2]}"
    points = svg_points(files[OutputFormat.CUT_LINE_SVG])[0]
    assert np.ptp(points[:, 0]) == pytest.approx(48, abs=0.01)


def test_the_dxf_is_in_millimetres_with_closed_polylines_on_a_layer_per_spot() -> None:
    """$INSUNITS is 4, the extents are the liner's, and a kiss cut has its lines on KissCut and CutContour."""
    _, files = made("star", cut_type=CutType.KISS_CUT, liner_shape=LinerShape.OFFSET)
    document = ezdxf.read(io.StringIO(files[OutputFormat.CUT_LINE_DXF].decode()))  # type: ignore[attr-defined]

    assert document.header["$INSUNITS"] == 4
    assert not document.audit().errors
    lines: list[Any] = list(document.modelspace())
    assert [line.dxftype() for line in lines] == ["LWPOLYLINE", "LWPOLYLINE"]
    assert [line.closed for line in lines] == [True, True]
    assert {line.dxf.layer for line in lines} == {"KissCut", "CutContour"}
    extents = np.array([document.header["$EXTMIN"], document.header["$EXTMAX"]])[:, :2]
    outer = np.concatenate([line.get_points("xy") for line in lines])
    assert np.abs(extents - [outer.min(axis=0), outer.max(axis=0)]).max() <= 0.01


def test_the_cutout_png_is_the_artwork_pixel_by_pixel() -> None:
    """Decoded again it has the canvas's own size and pixels, and declares the printed resolution."""
    rgba = drawn(star())
    result, files = made("star", width_mm=50.0)

    image = Image.open(io.BytesIO(files[OutputFormat.CUTOUT_PNG]))

    assert np.array_equal(np.asarray(image), rgba)
    assert image.info["dpi"][0] == pytest.approx(result.geometry.effective_dpi, rel=1e-3)


@pytest.mark.parametrize("shape", [(1, 1, 4), (3, 700, 3), (700, 3, 4)])
def test_any_size_survives_png(shape: tuple[int, int, int]) -> None:
    """Random pixels of odd sizes come back as they were."""
    pixels = np.random.default_rng(7).integers(0, 256, shape, np.uint8)

    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(pixels)))), pixels)


@pytest.mark.parametrize("wishes", [{}, {"border_mm": -1.0}, {"cut_type": CutType.KISS_CUT, "border_color": "#00ff00"}])
def test_the_preview_shows_art_inside_a_magenta_line(wishes: dict[str, Any]) -> None:
    """It has at most 1,200 px, the art's colour in its middle, and magenta where the outer cut is leftmost."""
    _, files = made("disc", **wishes)

    image = Image.open(io.BytesIO(files[OutputFormat.PREVIEW_PNG]))
    pixels = np.asarray(image)

    assert max(image.size) == 1200
    assert tuple(pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]) == (240, 120, 40)
    magenta = (pixels == (255, 0, 255)).all(axis=2)
    assert 2000 < magenta.sum() < 20_000


def test_the_report_is_the_proto_message() -> None:
    """report.json parses as cutline.v1.Report and says what the result says."""
    result, files = made("ring", cut_type=CutType.KISS_CUT, inner_cuts=True, mockup_scenes=("laptop",))

    report = json_format.Parse(files[OutputFormat.REPORT_JSON], Report())

    assert report.print_verdict == PrintVerdict.Value(f"PRINT_VERDICT_{result.print_verdict}")
    assert [finding.code for finding in report.findings] == [finding.code for finding in result.findings]
    assert report.findings[0].level == FindingLevel.FINDING_LEVEL_PASS
    assert report.geometry.size_source == SizeSource.SIZE_SOURCE_DEFAULT
    assert report.geometry.canvas_box.width_mm == result.geometry.canvas_box.width_mm
    assert report.resolved_spec.cut_type == sticker_spec_pb2.CUT_TYPE_KISS_CUT
    assert list(report.resolved_spec.mockups.scenes) == ["laptop"]
    assert [path.role for path in report.cut_paths] == [CutPath.ROLE_INNER, CutPath.ROLE_KISS, CutPath.ROLE_THROUGH]
    assert [path.path_data for path in report.cut_paths] == [path.path_data for path in result.cut_paths]


def test_the_report_uses_the_proto_files_own_names() -> None:
    """Field names are snake_case and enum values carry their full names."""
    _, files = made("disc")

    report = json.loads(files[OutputFormat.REPORT_JSON])

    assert report["resolved_spec"]["cut_type"] == "CUT_TYPE_DIE_CUT"
    assert report["geometry"]["size_source"] == "SIZE_SOURCE_DEFAULT"
    assert "mockups" not in report["resolved_spec"]


def test_the_canvas_box_says_where_the_cutout_lies() -> None:
    """Placing the cutout's canvas by it puts the art's left edge where the border ends."""
    result, _ = made("l", width_mm=50.0)
    box = result.geometry.canvas_box

    left_px = 60
    assert box.x_mm + left_px / 800 * box.width_mm == pytest.approx(3, abs=0.05)


def test_only_wanted_files_are_made() -> None:
    """With DXF alone asked for, cutout and report come along because later stages read them."""
    _, files = made("disc", output_formats=(OutputFormat.CUT_LINE_DXF,))

    assert set(files) == {OutputFormat.CUT_LINE_DXF, OutputFormat.CUTOUT_PNG, OutputFormat.REPORT_JSON}

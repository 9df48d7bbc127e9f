"""The print PDF: boxes, layers, spot colours, and above all registration of art and cut."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image
from shapely import MultiPoint, Polygon, box

from cutline.domain.outputs import OutputFormat
from cutline.domain.sticker_spec import CutType, StickerSpec, resolve
from cutline.imaging.cut_line.build import build_cut_line
from cutline.imaging.exports.ink import lay_ink
from cutline.imaging.outline import trace_outline
from cutline.imaging.pipeline import make_sticker
from cutline.imaging.shapes import polygons_of
from tests.support.drawn_art import artwork_of, cutout_of, disc, drawn, holed_disc, off_centre_l, ring, star
from tests.support.print_files import PdfCut, PrintPdf

SHAPES = {"disc": disc, "l": off_centre_l, "star": star}
BORDERS_MM = (3.0, 1.0, 0.0, -1.0)
TIGHT: dict[str, Any] = {"min_radius_mm": 0.1, "smoothing": 0.0}
"""Next to no rounding, so that the cut has the border's distance from the art all the way round."""


def print_pdf(shape: str, rgb: tuple[int, int, int] = (240, 120, 40), **wishes: Any) -> PrintPdf:
    """The print PDF of a drawn shape."""
    rgba = drawn(SHAPES.get(shape, ring)(), rgb=rgb)
    spec = resolve(StickerSpec(**wishes, output_formats=(OutputFormat.PRINT_PDF,)))
    result = make_sticker(artwork_of(rgba), cutout_of(rgba), spec)
    return PrintPdf(next(file.data for file in result.files if file.kind is OutputFormat.PRINT_PDF))


@pytest.mark.parametrize("border_mm", BORDERS_MM)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_cut_keeps_the_border_from_the_printed_art_all_the_way_round(shape: str, border_mm: float) -> None:
    """Distance from every point of the cut path to the edge of the placed art is the border, within 0.1 mm."""
    pdf = print_pdf(shape, border_mm=border_mm, width_mm=60.0, **TIGHT)
    edge = MultiPoint(pdf.art().edge_points())

    distances = shapely.distance(edge, shapely.points(pdf.cuts()[0].points))

    assert np.abs(distances - abs(border_mm)).max() <= 0.1
    inside = shapely.contains_xy(Polygon(pdf.cuts()[0].points), shapely.get_coordinates(edge))
    assert inside.all() if border_mm > 0 else (~inside).all() if border_mm < 0 else True


@pytest.mark.parametrize("border_mm", [3.0, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_side_keeps_its_border_with_default_rounding(shape: str, border_mm: float) -> None:
    """All four sides keep the border, and rounding never brings the cut nearer to the art."""
    pdf = print_pdf(shape, border_mm=border_mm)
    cut = pdf.cuts()[0].points
    edge = pdf.art().edge_points()

    distances = shapely.distance(MultiPoint(edge), shapely.points(cut))

    assert distances.min() >= border_mm - 0.1
    gaps = np.concatenate([edge.min(axis=0) - cut.min(axis=0), cut.max(axis=0) - edge.max(axis=0)])
    assert np.abs(gaps - border_mm).max() <= 0.1


@pytest.mark.parametrize("shape", SHAPES)
def test_the_trim_box_has_the_size_asked_for(shape: str) -> None:
    """TrimBox is 50 mm wide, MediaBox and BleedBox are 2 mm larger on each side, and the cut fills the TrimBox."""
    pdf = print_pdf(shape, width_mm=50.0)

    trim, media = pdf.box_mm("TrimBox"), pdf.box_mm("MediaBox")
    assert trim[2] - trim[0] == pytest.approx(50, abs=0.002)
    assert media == pytest.approx((trim[0] - 2, trim[1] - 2, trim[2] + 2, trim[3] + 2), abs=0.002)
    assert pdf.box_mm("BleedBox") == media
    cut = pdf.cuts()[0].points
    assert cut.min(axis=0) == pytest.approx((0, 0), abs=0.01)
    assert cut.max(axis=0) == pytest.approx((50, trim[3] - trim[1]), abs=0.01)


def test_the_cut_is_a_stroked_overprinting_spot_colour_in_a_processing_step() -> None:
    """CutContour is a Separation, stroked thinly with overprint, in a layer marked Structural/Cutting; version 1.6."""
    pdf = print_pdf("disc")

    layer = pdf.layers()["CutContour"]
    assert str(layer.GTS_Metadata.GTS_ProcStepsGroup) == "/Structural"
    assert str(layer.GTS_Metadata.GTS_ProcStepsType) == "/Cutting"
    states = list(dict(pdf.page.Resources.ExtGState.items()).values())
    assert [bool(state.OP) for state in states] == [True]
    widths = [float(operands[0]) for operator, operands in pdf.instructions() if operator == "w"]
    assert widths == [0.25]
    assert [cut.spot for cut in pdf.cuts()] == ["CutContour"]
    assert pdf.pdf.pdf_version == "1.6"


def test_kiss_and_through_cut_have_their_own_spots_and_steps() -> None:
    """The kiss line is PartialCutting in KissCut, the liner Cutting in CutContour, 3 mm outside."""
    pdf = print_pdf("star", cut_type=CutType.KISS_CUT, width_mm=50.0)

    steps = {name: str(layer.GTS_Metadata.GTS_ProcStepsType) for name, layer in pdf.layers().items() if "Cut" in name}
    assert steps == {"KissCut": "/PartialCutting", "CutContour": "/Cutting"}
    kiss, through = pdf.cuts()
    assert (kiss.spot, through.spot) == ("KissCut", "CutContour")
    assert np.ptp(kiss.points[:, 0]) == pytest.approx(50, abs=0.01)
    assert np.ptp(through.points[:, 0]) == pytest.approx(56, abs=0.01)


def test_a_preset_names_the_spots() -> None:
    """The Roland preset cuts through with PerfCutContour."""
    assert [cut.spot for cut in print_pdf("disc", printer_preset="roland").cuts()] == ["PerfCutContour"]


def test_the_art_keeps_its_source_pixels() -> None:
    """Alpha and colours in the PDF are the drawn ones, pixel by pixel, cropped to where there is art."""
    rgba = drawn(off_centre_l())
    pdf = print_pdf("l")

    alpha = pdf.art().alpha
    rows, columns = np.flatnonzero(rgba[..., 3].any(axis=1)), np.flatnonzero(rgba[..., 3].any(axis=0))
    crop = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert np.array_equal(alpha, crop[..., 3])
    assert np.array_equal(pdf.art_rgb(), crop[..., :3])


def test_a_white_border_prints_nothing_but_the_art() -> None:
    """Paper white needs no ink: besides art and cut there is only the paper, with nothing of C, M, Y and K."""
    pdf = print_pdf("disc")

    assert list(pdf.layers()) == ["Paper", "Artwork", "CutContour"]
    inks = [[float(value) for value in operands] for operator, operands in pdf.instructions() if operator == "k"]
    assert inks == [[0, 0, 0, 0]]


def test_a_coloured_border_is_printed_out_to_the_bleed() -> None:
    """The border's layer fills art, border and bleed in its colour."""
    pdf = print_pdf("disc", border_color="#204080", width_mm=50.0)

    assert "Border and bleed" in pdf.layers()
    fills = [operands for operator, operands in pdf.instructions() if operator == "scn"]
    assert [float(value) for value in fills[0]] == pytest.approx([0x20 / 255, 0x40 / 255, 0x80 / 255], abs=1e-4)
    assert np.ptp(_filled(pdf, "LGround", "f*")[:, 0]) == pytest.approx(54, abs=0.05)


def test_full_bleed_carries_the_arts_edge_colour_outwards() -> None:
    """Without border an underlay in the art's own colour reaches 2 mm out of the cut."""
    pdf = print_pdf("disc", border_mm=0.0, width_mm=50.0)

    image = pdf.page.Resources.XObject.ImEdges
    colors = np.frombuffer(image.read_bytes(), np.uint8).reshape(-1, 3)
    assert (colors == (240, 120, 40)).all()
    assert np.ptp(_filled(pdf, "LBleed", "W*")[:, 0]) == pytest.approx(54, abs=0.05)


def test_bleed_that_grows_together_leaves_the_inside_of_a_bay_unprinted() -> None:
    """In a C whose mouth is narrower than two bleeds, print still ends 2 mm from the cut, also inside."""
    ring_with_a_mouth = holed_disc(200).difference(box(400, 377, 800, 423))
    rgba = drawn(polygons_of(ring_with_a_mouth))
    spec = resolve(StickerSpec(border_mm=0.0, width_mm=40.0, smoothing=0.0))
    cut_line = build_cut_line(trace_outline(rgba, alpha_threshold=0.5, longer_side_mm=40.0), spec)

    bleed = lay_ink(cutout_of(rgba), cut_line, spec).bleed

    (area,) = bleed.geoms
    assert len(area.interiors) == 1
    edge = shapely.get_coordinates(shapely.segmentize(area.boundary, 0.2))
    distances = shapely.distance(shapely.points(edge), cut_line.face.boundary)
    assert np.abs(distances - 2).max() <= 0.02


def test_white_ink_backs_the_face_and_stays_inside_it() -> None:
    """The White separation covers the face choked by 0.1 mm, in its own layer, between art and cuts."""
    pdf = print_pdf("disc", white_ink=True, width_mm=50.0)

    assert str(pdf.layers()["White"].GTS_Metadata.GTS_ProcStepsGroup) == "/White"
    white = _filled(pdf, "LWhite", "f*")
    assert np.ptp(white[:, 0]) == pytest.approx(49.8, abs=0.02)
    content = pdf.page.Contents.read_bytes()
    assert content.index(b"/LArt") < content.index(b"/LWhite") < content.index(b"/LCut")


def test_white_ink_without_border_colour_backs_only_the_art() -> None:
    """With border colour none the paper shows in the border, so no white ink goes there."""
    pdf = print_pdf("disc", white_ink=True, border_color="none", width_mm=50.0)

    assert np.ptp(_filled(pdf, "LWhite", "f*")[:, 0]) == pytest.approx(50 - 6 - 0.2, abs=0.05)


def test_inner_cuts_are_stroked_before_the_outline() -> None:
    """A ring with inner cuts has two paths of one spot, the hole first."""
    inner, outer = print_pdf("ring", inner_cuts=True).cuts()

    assert Polygon(inner.points).area < Polygon(outer.points).area
    assert inner.spot == outer.spot


def test_the_same_input_gives_the_same_bytes() -> None:
    """Two PDFs of one sticker are identical."""
    first, second = (drawn(star()) for _ in range(2))
    spec = resolve(StickerSpec(border_mm=0.0))

    files = [make_sticker(artwork_of(rgba), cutout_of(rgba), spec).files for rgba in (first, second)]

    assert [file.data for file in files[0]] == [file.data for file in files[1]]


@pytest.mark.parametrize("border_mm", BORDERS_MM)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_renderer_sees_the_same_registration(shape: str, border_mm: float, tmp_path: Path) -> None:
    """Rasterised at 600 dpi with only its art shown, the edge keeps the border from the cut, within 0.1 mm."""
    # Unlike pdftoppm of the same package, it does not snap images to whole pixels: at 600 dpi that is half the bound.
    renderer = shutil.which("pdftocairo")
    if renderer is None:
        pytest.skip("pdftocairo (poppler-utils) is not installed")
    pdf = print_pdf(shape, rgb=(0, 0, 0), border_mm=border_mm, width_mm=60.0, **TIGHT)
    cut = pdf.cuts()[0]

    dark = _rasterised_art(pdf, Path(renderer), tmp_path)

    edge = _dark_edge_mm(dark, pdf)
    distances = shapely.distance(MultiPoint(edge), shapely.points(cut.points))
    assert np.abs(distances - abs(border_mm)).max() <= 0.1


def _rasterised_art(pdf: PrintPdf, renderer: Path, folder: Path) -> np.ndarray:
    """Darkness, 0 to 1, of the page at 600 dpi with every layer but the artwork taken out."""
    pdf.keep_layers("/LArt")
    pdf.pdf.save(folder / "art.pdf")
    command = [str(renderer), "-r", "600", "-gray", "-singlefile", "-png", str(folder / "art.pdf"), str(folder / "art")]
    subprocess.run(command, check=True)
    return 1 - np.asarray(Image.open(folder / "art.png").convert("L"), float) / 255


def _dark_edge_mm(dark: np.ndarray, pdf: PrintPdf) -> np.ndarray:
    """Points in mm, in the trim frame, where darkness passes one half along rows and columns."""
    found = []
    for axis in (0, 1):
        before, after = (
            np.take(dark, range(dark.shape[axis] - 1), axis),
            np.take(dark, range(1, dark.shape[axis]), axis),
        )
        rows, columns = np.nonzero((before >= 0.5) != (after >= 0.5))
        y, x = rows + (1.0 if axis == 0 else 0.5), columns + (1.0 if axis == 1 else 0.5)
        found.append(np.stack([x, y], axis=1))
    bleed = pdf.box_mm("TrimBox")[0]
    return np.concatenate(found) * 25.4 / 600 - bleed


def _filled(pdf: PrintPdf, layer: str, paint: str) -> np.ndarray:
    """Points in mm of the first polygon of a layer that is filled (or made a clip) by that operator."""
    points: list[list[float]] = []
    instructions = iter(pdf.instructions())
    next(True for operator, operands in instructions if operator == "BDC" and str(operands[1]) == f"/{layer}")
    for operator, operands in instructions:
        if operator in {"m", "l"}:
            points.append([float(value) for value in operands])
        elif operator == paint:
            break
    return np.array(points) * 25.4 / 72


def test_reading_back_tells_paths_apart() -> None:
    """The reader of these tests finds one path of many points per stroke."""
    cuts = print_pdf("l").cuts()

    assert [type(cut) for cut in cuts] == [PdfCut]
    assert len(cuts[0].points) > 100

"""What printers send cut files back for, looked for in finished files: open, covered, nested and filled paths."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import ezdxf
import pikepdf
import pytest

from cutline.domain.outputs import CutRole, OutputFormat
from cutline.domain.sticker_spec import CutType, IslandPolicy, LinerShape, StickerSpec, resolve
from cutline.imaging.pipeline import make_sticker
from tests.support.cut_check import Failure, dxf_failures, pdf_failures, svg_failures
from tests.support.drawn_art import artwork_of, cutout_of, discs, drawn, ring, star

SPOTS = ("CutContour", "KissCut")
SHAPES = {
    "ring": ring(),
    "star": star(),
    "islands": discs((200.0, 200.0, 130.0), (600.0, 220.0, 110.0), (400.0, 620.0, 120.0)),
}
STICKERS: dict[str, tuple[str, dict[str, Any]]] = {
    "die cut": ("star", {}),
    "kiss cut": ("star", {"cut_type": CutType.KISS_CUT}),
    "kiss cut on a shaped liner": ("ring", {"cut_type": CutType.KISS_CUT, "liner_shape": LinerShape.OFFSET}),
    "inner cut": ("ring", {"inner_cuts": True}),
    "kiss cut with an inner cut": ("ring", {"inner_cuts": True, "cut_type": CutType.KISS_CUT}),
    "loose pieces": ("islands", {"island_policy": IslandPolicy.KEEP}),
    "loose pieces on one liner": ("islands", {"island_policy": IslandPolicy.KEEP, "cut_type": CutType.KISS_CUT}),
}
PRINTS: dict[str, dict[str, Any]] = {
    "white border": {},
    "coloured border and white ink": {"border_color": "#204080", "white_ink": True},
    "coloured border without bleed": {"border_color": "#204080", "bleed_mm": 0.0},
    "full bleed and white ink": {"border_mm": 0.0, "white_ink": True},
    "full bleed without bleed": {"border_mm": -1.0, "bleed_mm": 0.0},
}


@cache
def files(sticker: str, printed: str) -> tuple[int, dict[OutputFormat, bytes]]:
    """How many inner cuts a sticker has, and its files."""
    shape, wishes = STICKERS[sticker]
    rgba = drawn(SHAPES[shape])
    kinds = (OutputFormat.PRINT_PDF, OutputFormat.CUT_LINE_SVG, OutputFormat.CUT_LINE_DXF)
    spec = resolve(StickerSpec(**wishes, **PRINTS[printed], width_mm=45.0, output_formats=kinds))
    result = make_sticker(artwork_of(rgba), cutout_of(rgba), spec)
    inner = sum(path.role is CutRole.INNER for path in result.cut_paths)
    return inner, {file.kind: file.data for file in result.files}


@pytest.mark.parametrize("printed", PRINTS)
@pytest.mark.parametrize("sticker", STICKERS)
def test_no_file_has_a_path_that_is_open_covered_nested_or_filled(sticker: str, printed: str) -> None:
    """PDF, SVG and DXF read back show none of the four failures; inner cuts alone lie inside another path."""
    inner, made = files(sticker, printed)

    assert inner == sticker.count("inner")
    assert pdf_failures(made[OutputFormat.PRINT_PDF], SPOTS, inner_cuts=inner) == set()
    assert svg_failures(made[OutputFormat.CUT_LINE_SVG], inner_cuts=inner) == set()
    assert dxf_failures(made[OutputFormat.CUT_LINE_DXF], SPOTS, inner_cuts=inner) == set()


@pytest.mark.parametrize("sticker", ["inner cut", "kiss cut with an inner cut"])
def test_an_inner_cut_nobody_announced_counts_as_nested(sticker: str) -> None:
    """The same files fail where no inner cut is expected, so the exception is made for what was asked only."""
    _, made = files(sticker, "white border")

    assert pdf_failures(made[OutputFormat.PRINT_PDF], SPOTS) == {Failure.NESTED}
    assert svg_failures(made[OutputFormat.CUT_LINE_SVG]) == {Failure.NESTED}
    assert dxf_failures(made[OutputFormat.CUT_LINE_DXF], SPOTS) == {Failure.NESTED}


Operators = list[tuple[list[Any], str]]


def opened(operators: Operators) -> None:
    """Leaves the last path open."""
    del operators[_last(operators, "h")]


def covered_by_a_rectangle(operators: Operators) -> None:
    """Paints over everything."""
    operators += [([1, 0, 0], "rg"), ([0, 0, 100, 100], "re"), ([], "f")]


def covered_by_the_art(operators: Operators) -> None:
    """Places the art once more, above the cut."""
    place = next(operands for operands, operator in operators if operator == "cm")
    operators += [([], "q"), (place, "cm"), ([pikepdf.Name.ImArt], "Do"), ([], "Q")]


def nested(operators: Operators) -> None:
    """Repeats the cut at half its size in its middle."""
    start = _last(operators, "CS")
    copy = operators[start : _last(operators, "S") + 1]
    operators += [([], "q"), ([0.5, 0, 0, 0.5, 35, 35], "cm"), *copy, ([], "Q")]


def repeated(operators: Operators) -> None:
    """Cuts the same line twice."""
    operators += operators[_last(operators, "CS") : _last(operators, "S") + 1]


def filled(operators: Operators) -> None:
    """Fills the cut path with the spot colour it is stroked with."""
    last = _last(operators, "S")
    operators[last] = ([], "B")
    spot = operators[_last(operators, "CS")][0]
    operators[_last(operators, "m") : _last(operators, "m")] = [(spot, "cs"), ([1], "scn")]


@pytest.mark.parametrize(
    ("damage", "failure"),
    [
        (opened, Failure.OPEN),
        (covered_by_a_rectangle, Failure.COVERED),
        (covered_by_the_art, Failure.COVERED),
        (nested, Failure.NESTED),
        (repeated, Failure.NESTED),
        (filled, Failure.FILLED),
    ],
)
def test_the_check_sees_each_failure_in_a_damaged_pdf(damage: Callable[[Operators], None], failure: Failure) -> None:
    """A good file with one thing changed in its content stream shows just that failure."""
    pdf = pikepdf.open(io.BytesIO(files("die cut", "full bleed and white ink")[1][OutputFormat.PRINT_PDF]))
    parsed: list[Any] = list(pikepdf.parse_content_stream(pdf.pages[0]))
    operators = [(list(operands), str(operator)) for operands, operator in parsed]
    damage(operators)
    written = [(operands, pikepdf.Operator(operator)) for operands, operator in operators]
    pdf.pages[0].Contents = pdf.make_stream(pikepdf.unparse_content_stream(written))

    assert pdf_failures(_saved(pdf), SPOTS) == {failure}


def test_the_check_sees_a_hidden_cut_layer() -> None:
    """A cut whose layer is switched off counts as covered."""
    pdf = pikepdf.open(io.BytesIO(files("die cut", "white border")[1][OutputFormat.PRINT_PDF]))
    pdf.Root.OCProperties.D.OFF = pikepdf.Array([pdf.pages[0].Resources.Properties.LCut1])

    assert pdf_failures(_saved(pdf), SPOTS) == {Failure.COVERED}


@pytest.mark.parametrize(
    ("before", "after", "failure"),
    [
        (' Z"', '"', Failure.OPEN),
        ("</svg>", '<rect x="0" y="0" width="99" height="99" fill="red"/></svg>', Failure.COVERED),
        (' fill="none"', "", Failure.FILLED),
    ],
)
def test_the_check_sees_each_failure_in_a_damaged_svg(before: str, after: str, failure: Failure) -> None:
    """A good file with one thing changed in its text shows just that failure."""
    good = files("die cut", "white border")[1][OutputFormat.CUT_LINE_SVG].decode()
    assert before in good

    assert svg_failures(good.replace(before, after).encode()) == {failure}


def test_the_check_sees_a_repeated_path_in_an_svg() -> None:
    """The same path twice in one group counts as nested."""
    lines = files("die cut", "white border")[1][OutputFormat.CUT_LINE_SVG].decode().splitlines()
    path = next(index for index, line in enumerate(lines) if "<path" in line)

    assert svg_failures("\n".join([*lines[:path], lines[path], *lines[path:]]).encode()) == {Failure.NESTED}


@pytest.mark.parametrize("failure", Failure)
def test_the_check_sees_each_failure_in_a_damaged_dxf(failure: Failure) -> None:
    """A good drawing with one thing changed shows just that failure."""
    text = files("die cut", "white border")[1][OutputFormat.CUT_LINE_DXF].decode()
    document = ezdxf.read(io.StringIO(text))  # type: ignore[attr-defined]
    space = document.modelspace()
    line = space.query("LWPOLYLINE").first
    match failure:
        case Failure.OPEN:
            line.closed = False
        case Failure.NESTED:
            space.add_entity(line.copy())
        case _:
            layer = "CutContour" if failure is Failure.FILLED else "0"
            hatch = space.add_hatch(dxfattribs={"layer": layer})
            hatch.paths.add_polyline_path([(0, 0), (99, 0), (99, 99), (0, 99)])
    damaged = io.StringIO()
    document.write(damaged)

    assert dxf_failures(damaged.getvalue().encode(), SPOTS) == {failure}


def _last(operators: Operators, name: str) -> int:
    return max(index for index, (_, operator) in enumerate(operators) if operator == name)


def _saved(pdf: pikepdf.Pdf) -> bytes:
    written = io.BytesIO()
    pdf.save(written)
    return written.getvalue()

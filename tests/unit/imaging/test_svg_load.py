"""What an SVG asks of the renderer is told, and refused or made smaller, before it is rendered."""

from __future__ import annotations

import numpy as np
import pytest

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.decode import decode_artwork, read_header
from cutline.imaging.decode.svg_load import MOST_SECONDS, primitive_work
from cutline.imaging.decode.svg_style import style_rules, transform_scale
from tests.unit.imaging.pixel_art import svg

LIMITS = ArtworkLimits()
RED = '<rect width="20" height="10" fill="red"/>'
FILTERED = '<rect width="20" height="10" fill="red" filter="url(#f)"/>'
BLUR = '<filter id="f"><feGaussianBlur stdDeviation="1"/></filter>'


def refused(body: str, *, target_px: int = 1_000) -> ArtworkError:
    """The error that decoding the document ends with."""
    with pytest.raises(ArtworkError) as caught:
        decode_artwork(svg(body), limits=LIMITS, svg_target_px=target_px)
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        f'<filter id="f"><feTurbulence baseFrequency="0.1" numOctaves="9000"/></filter>{FILTERED}',
        f'<filter id="f"><feMorphology operator="dilate" radius="1000"/></filter>{FILTERED}',
        f'<filter id="f" primitiveUnits="objectBoundingBox"><feMorphology radius="0.5"/></filter>{FILTERED}',
        f'<filter id="f"><feConvolveMatrix order="900" kernelMatrix="1"/></filter>{FILTERED}',
        f'<filter id="f"><feMorphology radius="0.1"/></filter><g transform="scale(90)">{FILTERED}</g>',
        f'<filter id="f"><feMorphology radius="0.1"/></filter><g style="transform:scale(90)">{FILTERED}</g>',
        (
            f'<filter id="f"><feMorphology radius="0.1"/></filter><svg width="20" height="10" viewBox="0 0 .2 .1">'
            f"{FILTERED}</svg>"
        ),
        (
            f'<filter id="f"><feMorphology radius=".1"/></filter><symbol id="s" viewBox="0 0 .2 .1">{FILTERED}</symbol>'
            '<use href="#s" width="20" height="10"/>'
        ),
        f'{BLUR}<g id="a">{FILTERED * 100}</g>' + '<use href="#a"/>' * 100,
        BLUR + '<rect width="20" height="10" style="filter: url(#f)"/>' * 9_000,
        f'{BLUR}<style>.a, .b {{ fill: red; filter: url("#f") }}</style>' + '<path class="b" d="M0 0h9v9z"/>' * 9_000,
        f"{BLUR}<style>/* x */ g > path {{ filter: url(#f) }}</style>" + '<path d="M0 0h9v9z"/>' * 9_000,
        f'<rect width="9" height="9" filter="{"blur(1) " * 9_000}"/>',
        f'<rect width="9" height="9" style="filter:{"blur(1px) " * 9_000}"/>',
    ],
    ids=[
        "octaves",
        "dilation",
        "dilation in boxes",
        "matrix",
        "magnified",
        "magnified by style",
        "magnified by view box",
        "magnified by symbol",
        "used often",
        "by style attribute",
        "by stylesheet",
        "by any selector",
        "by functions",
        "by functions in a style",
    ],
)
def test_filters_that_would_take_minutes_are_refused(body: str) -> None:
    """However the filter is reached and whatever makes it slow, the message names the seconds and their limit."""
    error = refused(body)

    assert error.reason is Reason.ARTWORK_TOO_LARGE
    assert "SVG filters that take about" in error.message
    assert error.metadata["limit"] == f"{MOST_SECONDS:g} s"


@pytest.mark.parametrize(
    "body",
    [
        '<g opacity="0.9">' * 190 + RED + "</g>" * 190,
        '<g style="isolation:isolate;opacity:.5">' * 190 + RED + "</g>" * 190,
        '<pattern id="p" width="1" height="1"><path d="M0 0h1v1z"/></pattern><path d="M0 0h900v900z" fill="url(#p)"/>',
        (
            '<pattern id="p" width="39" height="9" patternUnits="userSpaceOnUse" patternTransform="scale(30)"/>'
            '<path d="M0 0h9v9z" fill="url(#p)"/>'
        ),
    ],
    ids=["groups", "styled groups", "tile of a far box", "magnified tile"],
)
def test_layers_and_tiles_that_would_take_gigabytes_are_refused(body: str) -> None:
    """Canvases that the renderer would keep, and pattern tiles, are counted; the message names gigabytes."""
    error = refused(body, target_px=4_000)

    assert error.reason is Reason.ARTWORK_TOO_LARGE
    assert "GB to render" in error.message


def test_usual_effects_are_rendered() -> None:
    """Drop shadows, blurs, a little noise, patterns in shares of a box and nested groups cost next to nothing."""
    body = (
        '<filter id="f"><feDropShadow dx="1" dy="1" stdDeviation="0.5"/><feTurbulence numOctaves="3"/>'
        '<feMorphology radius="0.1"/><feBlend in="SourceGraphic"/></filter>'
        '<pattern id="p" width="100%" height="100%"><path d="M0 0h20v10z" fill="blue"/></pattern>'
        f'<g opacity="0.99"><g clip-path="none">{FILTERED}</g></g><rect width="5" height="5" fill="url(#p)"/>'
    )

    artwork = decode_artwork(svg(body), limits=LIMITS, svg_target_px=200)

    assert artwork.rgba.shape[:2] == (100, 200)


def test_a_heavy_document_is_rendered_smaller_rather_than_refused() -> None:
    """Work that is too much at the size asked for, and not at half of it, makes a smaller picture."""
    pixels = 600 * 300
    seconds = primitive_work("feGaussianBlur", {}, canvas_units=20, in_boxes=False).constant * pixels
    small = '<rect width=".02" height=".02" filter="url(#f)"/>'

    artwork = decode_artwork(
        svg(BLUR + RED + small * round(1.5 * MOST_SECONDS / seconds)), limits=LIMITS, svg_target_px=600
    )

    assert 300 <= artwork.rgba.shape[1] < 600
    assert np.array_equal(artwork.rgba[-2, -2], [255, 0, 0, 255])


@pytest.mark.parametrize("attributes", ['width="1e9" height="1e9"', 'viewBox="0 0 9e9 10"', 'width="2e7in" height="1"'])
def test_a_size_beyond_all_is_named(attributes: str) -> None:
    """A document of a thousand million units is too large, and not one that states no size."""
    with pytest.raises(ArtworkError) as caught:
        read_header(svg(RED, attributes))

    assert caught.value.reason is Reason.ARTWORK_TOO_LARGE
    assert "1,000,000,000 px a side" in caught.value.message


def test_numbers_in_a_stylesheet_are_held_to_the_canvas() -> None:
    """A length in a stylesheet is no better than one in an attribute; a colour and an embedded font are no lengths."""
    plain = (
        "<style>@font-face { src: url(data:font/woff;base64,99999999e9) } .a { fill: #99999999; opacity: 1 }</style>"
    )

    assert refused("<style>.a { stroke-dashoffset: 1e9 }</style>").reason is Reason.ARTWORK_TOO_LARGE
    assert decode_artwork(svg(plain + RED), limits=LIMITS, svg_target_px=20).rgba[5, 5].tolist() == [255, 0, 0, 255]


def test_an_address_in_a_long_stylesheet_is_taken_out() -> None:
    """The parser hands a long text on in parts; an address that lies across two of them goes all the same."""
    for pad in range(8_170, 8_200, 3):
        body = f"<style>/*{'x' * pad}*/.a {{ fill: url(http://evil/) }}</style>{RED}"

        assert decode_artwork(svg(body), limits=LIMITS, svg_target_px=8).rgba.shape == (4, 8, 4)


@pytest.mark.parametrize(
    "data",
    [
        b"<??>" * 4_000 + b"<x>",
        b"<!DOCTYPE [" * 1_000 + b"<x>",
        svg("", f'width="{"1" * 100_000}!" height="1"'),
        svg(f'<path d="M0 0" fill="url({" " * 100_000}"/>'),
        svg(f'<path d="M0 0" fill="{"url(" * 100_000}"/>'),
        svg(f'<path d="M0 0" transform="{"scale(" * 100_000}"/>'),
        svg(f"<style>{'x' * 100_000}</style>"),
        svg(f"<style>{'{' * 100_000}</style>"),
        svg(f"<style>{'/*' * 100_000}</style>"),
        svg(f"<style>.a {{ x: url({' ' * 100_000} }}</style>"),
        svg(f'<path d="M0 0" style="{"1." * 100_000}"/>'),
    ],
)
def test_no_text_makes_a_pattern_run_for_ever(data: bytes) -> None:
    """Texts on which a careless pattern backtracks for hours are read or refused like any other."""
    reason: Reason | None = None
    try:
        decode_artwork(data, limits=LIMITS, svg_target_px=8)
    except ArtworkError as error:
        reason = error.reason

    assert reason is None or reason.name.startswith("ARTWORK_")


def test_stretches_multiply() -> None:
    """The largest singular value of each transform counts, so that turning and mirroring are no stretch."""
    assert transform_scale("translate(5) rotate(30)") == 1.0
    assert transform_scale("scale(2) scale(-3, 1)") == pytest.approx(6.0)
    assert transform_scale("matrix(0.6 0.8 -0.8 0.6 100 100)") == pytest.approx(1.0)
    assert transform_scale("matrix(1 0 0 7 0 0)") == pytest.approx(7.0)
    assert transform_scale("skewX(80)") == pytest.approx(5.84, abs=0.01)


def test_rules_that_add_nothing_are_left_out() -> None:
    """Fills and strokes are no load; of several selectors each is a rule."""
    sheet = ".a { fill: red; opacity: 1 } .b, path.c, #d { mask: url(#m) } @media print { .e { opacity: .5 } }"

    assert [(rule.kind, rule.name) for rule in style_rules(sheet)] == [
        (".", "b"),
        (".", "c"),
        ("#", "d"),
        (".", "e"),
    ]

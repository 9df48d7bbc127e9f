"""SVG: rendered at the size asked for, with nothing from outside and within bounds."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from PIL import Image

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.decode import decode_artwork, read_header
from cutline.imaging.decode.svg_filter import filter_svg
from tests.unit.imaging.pixel_art import encoded, png_header, svg

LIMITS = ArtworkLimits()
RED = '<rect width="20" height="10" fill="red"/>'


def refused(data: bytes, limits: ArtworkLimits = LIMITS) -> ArtworkError:
    """The error that decoding the document ends with."""
    with pytest.raises(ArtworkError) as caught:
        decode_artwork(data, limits=limits, svg_target_px=64)
    return caught.value


def data_url(data: bytes, media_type: str = "image/png") -> str:
    """The bytes as a base64 data URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    "attributes",
    [
        'viewBox="0 0 20 10"',
        'width="40mm" height="20mm" viewBox="0 0 20 10"',
        'width="100%" height="100%" viewBox="0 0 20 10"',
        'width="3in" viewBox="0 0 20 10"',
        'width="20" height="10"',
    ],
)
@pytest.mark.parametrize("target_px", [64, 333, 600])
def test_the_longer_side_is_the_target(attributes: str, target_px: int) -> None:
    """However the size is stated, the longer side has the target's px, the shape is kept and art stays opaque."""
    artwork = decode_artwork(svg(RED, attributes), limits=LIMITS, svg_target_px=target_px)

    height_px, width_px = artwork.rgba.shape[:2]
    assert width_px == target_px
    assert abs(height_px - target_px / 2) <= 0.5
    assert artwork.rgba[0, 0].tolist() == artwork.rgba[-1, -1].tolist() == [255, 0, 0, 255]
    assert artwork.vector
    assert artwork.media_type == "image/svg+xml"


def test_the_target_is_cut_to_the_limits() -> None:
    """A target beyond the side or the pixel limit is brought down to it."""
    by_side = decode_artwork(svg(RED), limits=ArtworkLimits(max_side_px=100), svg_target_px=5_000)
    by_area = decode_artwork(svg(RED), limits=ArtworkLimits(max_pixels=5_000), svg_target_px=5_000)

    assert by_side.rgba.shape[:2] == (50, 100)
    assert by_area.rgba.shape[:2] == (50, 100)


def test_the_header_gives_the_documents_own_size() -> None:
    """Lengths in mm are px at 96 per inch."""
    assert read_header(svg("", 'width="25.4mm" height="50.8mm"')) == ("image/svg+xml", 96, 192)


@pytest.mark.parametrize("attributes", ["", 'width="0" height="10"', 'viewBox="0 0 nan 10"', 'viewBox="0 0 -1 10"'])
def test_a_document_without_size_is_unreadable(attributes: str) -> None:
    """No size, or one that is no size, is ARTWORK_UNREADABLE."""
    assert refused(svg(RED, attributes)).reason is Reason.ARTWORK_UNREADABLE


@pytest.mark.parametrize(
    "prologue",
    [
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n',
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">',
        '<!DOCTYPE svg PUBLIC "a" "http://b" [<!ENTITY ns_svg "http://www.w3.org/2000/svg">]>',
        "\ufeff",
    ],
)
def test_usual_prologues_are_accepted(prologue: str) -> None:
    """Declarations, comments, document types and the plain entities of drawing programs do no harm."""
    assert decode_artwork(svg(RED, before=prologue), limits=LIMITS, svg_target_px=32).rgba[5, 5, 0] == 255


def test_scripts_handlers_and_stylesheet_imports_never_reach_the_renderer() -> None:
    """What runs or fetches is gone from the document that is rendered; the drawing is not."""
    body = (
        '<script href="http://evil/x.js">alert(1)</script><foreignObject><p>hi</p></foreignObject>'
        "<style>@import url(http://evil/x.css); .a{fill:#00f}</style>"
        '<a href="http://evil/"><rect class="a" onclick="steal()" width="20" height="10"/></a>'
    )
    document = filter_svg(svg(body), limits=LIMITS, canvas_units=20).sized({})

    assert "evil" not in document
    assert "steal" not in document
    assert "alert" not in document
    assert decode_artwork(svg(body), limits=LIMITS, svg_target_px=32).rgba[5, 5].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize(
    "body",
    [
        '<image xlink:href="http://127.0.0.1:1/a.png" width="9" height="9"/>',
        '<image href="file:///etc/hostname" width="9" height="9"/>',
        '<image href="a.png" width="9" height="9"/>',
        '<use href="other.svg#a"/>',
        '<filter id="f"><feImage href="/a.png"/></filter>',
        f'<image href="{data_url(svg(RED), "image/svg+xml")}" width="9" height="9"/>',
        '<image href="data:image/png,notbase64" width="9" height="9"/>',
    ],
)
def test_outside_references_are_refused(body: str) -> None:
    """A document that refers to a file, an address or another document is ARTWORK_UNREADABLE."""
    assert refused(svg(body)).reason is Reason.ARTWORK_UNREADABLE


def test_a_file_beside_the_process_is_never_opened(tmp_path: Path) -> None:
    """An absolute path to a picture that exists is refused like any other."""
    picture = tmp_path / "a.png"
    picture.write_bytes(encoded(Image.new("RGB", (4, 4), "red"), "PNG"))

    assert refused(svg(f'<image href="{picture}" width="20" height="10"/>')).reason is Reason.ARTWORK_UNREADABLE


@pytest.mark.parametrize(
    "entities",
    [
        '<!ENTITY x SYSTEM "file:///etc/hostname">',
        '<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;',
        '<!ENTITY a "aaaa"><!ENTITY x "&a;&a;&a;&a;">',
        f'<!ENTITY x "{"a" * 5_000}">',
        "".join(f'<!ENTITY x{index} "a">' for index in range(100)),
    ],
)
def test_entities_beyond_the_plain_ones_are_refused(entities: str) -> None:
    """External, nested, long and countless entities are ARTWORK_UNREADABLE."""
    data = svg(f"<desc>x</desc>{RED}", before=f"<!DOCTYPE svg [{entities}]>")

    assert refused(data).reason is Reason.ARTWORK_UNREADABLE


def test_depth_and_growth_are_bounded() -> None:
    """Deep nesting, long chains of references and references that multiply are ARTWORK_TOO_LARGE."""
    deep = "<g>" * 5_000 + "</g>" * 5_000
    chain = "".join(f'<g id="a{index}"><use href="#a{index + 1}"/></g>' for index in range(5_000))
    rungs = "".join(f'<g id="b{index}">' + f'<use href="#b{index - 1}"/>' * 10 + "</g>" for index in range(1, 10))
    multiplied = f'<defs><g id="b0">{RED}</g>{rungs}</defs><use href="#b9"/>'

    for body in (deep, chain, multiplied):
        assert refused(svg(body)).reason is Reason.ARTWORK_TOO_LARGE


@pytest.mark.parametrize(
    "body",
    [
        '<pattern id="p" width="99999" height="2"/>',
        '<pattern id="p" width="2" height="1e3"/>',
        '<path d="M0 0L5 1e6" stroke="red" stroke-dasharray="1 2"/>',
        '<path d="M0 0L-1000000,5" stroke="red" stroke-dasharray="1 2"/>',
        '<path d="M0 0l5-99999999" stroke="red"/>',
        '<g transform="scale(1.5e9)"/>',
    ],
)
def test_numbers_far_beyond_the_canvas_are_refused(body: str) -> None:
    """Coordinates and tiles that make the renderer ask for gigabytes are ARTWORK_TOO_LARGE."""
    assert refused(svg(body)).reason is Reason.ARTWORK_TOO_LARGE


def test_large_numbers_that_are_no_coordinates_pass() -> None:
    """Ids, colours, names of other programs and small parts of long fractions are left alone."""
    body = (
        '<g id="layer99999999" class="1e99" data-x="9e9" fill="#99999999"><path d="M0.123456789 1e-9L5 5Z"/></g>' + RED
    )

    assert decode_artwork(svg(body), limits=LIMITS, svg_target_px=32).rgba[5, 5].tolist() == [255, 0, 0, 255]


@pytest.mark.parametrize("colour", ["#d1e7dd", "#e1e8ed", "#F1E9AB", "#2e90ff"])
def test_a_colour_is_no_number(colour: str) -> None:
    """Many a colour has the look of an exponent in it; it draws, as an attribute, in a style and in a stylesheet."""
    body = f'<style>.a {{ stroke: {colour} }}</style><rect class="a" width="20" height="10" fill="{colour}"/>'
    styled = f'<path d="M0 0h9v9z" style="fill:{colour}"/><linearGradient id="a1e9"/><g fill="url(#a1e9)"/>'

    artwork = decode_artwork(svg(body + styled), limits=LIMITS, svg_target_px=20)

    assert artwork.rgba[5, 15].tolist() == [*bytes.fromhex(colour[1:]), 255]


def test_a_reference_to_itself_ends() -> None:
    """A group that uses itself renders the rest of the document."""
    artwork = decode_artwork(svg(f'<g id="a"><use href="#a"/></g>{RED}'), limits=LIMITS, svg_target_px=32)

    assert artwork.rgba[5, 5].tolist() == [255, 0, 0, 255]


def test_embedded_pictures_are_drawn_within_the_limits() -> None:
    """A small base64 PNG is drawn; a bomb in a data URL is ARTWORK_TOO_LARGE, and so are many that add up."""
    green = data_url(encoded(Image.new("RGB", (20, 10), (0, 200, 0)), "PNG"))
    image = '<image width="20" height="10" href="{}"/>'

    artwork = decode_artwork(svg(image.format(green)), limits=LIMITS, svg_target_px=32)

    assert artwork.rgba[8, 16].tolist() == [0, 200, 0, 255]
    assert refused(svg(image.format(data_url(png_header(20_000, 20_000))))).reason is Reason.ARTWORK_TOO_LARGE
    many = refused(svg(image.format(green) * 6), ArtworkLimits(max_pixels=1_000))
    assert many.reason is Reason.ARTWORK_TOO_LARGE


def test_live_text_is_refused_rather_than_lost() -> None:
    """Letters would be missing without fonts: the message says to convert them to paths."""
    error = refused(svg(f"{RED}<text x='1' y='5'>Hello</text>"))

    assert error.reason is Reason.ARTWORK_UNREADABLE
    assert "convert text to paths" in error.message


@pytest.mark.parametrize("cut", [3, 9, 40])
def test_broken_xml_is_unreadable(cut: int) -> None:
    """A document that ends too early is ARTWORK_UNREADABLE."""
    assert refused(svg(RED)[:-cut]).reason is Reason.ARTWORK_UNREADABLE

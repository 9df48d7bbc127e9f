"""The print file: art, border and bleed, white ink and the cut line as spot colours, at exact size, PDF 1.6."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import cv2
from pikepdf import Array, Dictionary, Name, Object, Page, Pdf, String
from shapely import MultiPolygon

from cutline.domain.outputs import BoxMm, CutRole
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.model import CutLine
from cutline.imaging.exports.ink import Ink
from cutline.imaging.exports.pdf_content import PT_PER_MM, PageFrame, clipped, in_layer
from cutline.imaging.exports.pdf_objects import (
    icc_srgb,
    layer,
    overprint_state,
    rgb_image,
    rgba_image,
    separation,
)
from cutline.imaging.exports.pdf_x import describe
from cutline.imaging.exports.spots import spot_of
from cutline.imaging.model import Cutout
from cutline.imaging.press_profile import PressProfile

_SCREEN_CMYK: Final = {"through": (0.0, 1.0, 0.0, 0.0), "kiss": (1.0, 0.0, 0.0, 0.0), "white": (0.0, 0.0, 0.0, 0.0)}
"""How viewers show the spot colours; printers go by the names."""
_STEPS: Final = {False: "Cutting", True: "PartialCutting"}
"""Types of ISO 19593-1: through, and through the sticker only."""


@dataclass
class _Page:
    """The page while it is put together: resources by name, layers in order, operators."""

    pdf: Pdf
    frame: PageFrame
    images: dict[str, Object]
    spots: dict[str, Object]
    states: dict[str, Object]
    layers: dict[str, Object]
    operators: list[str]

    def add(self, name: str, group: Object, *operators: str) -> None:
        """Adds a layer with what is drawn in it, above what is there."""
        self.layers[name] = group
        self.operators.append(in_layer(name, *operators))


def print_pdf(
    cutout: Cutout, cut_line: CutLine, ink: Ink, spec: ResolvedSpec, press: PressProfile | None = None
) -> bytes:
    """One page: MediaBox = BleedBox = TrimBox grown by the bleed, TrimBox = the outer cut's box.

    Layers from below: border colour or paper, bleed, artwork, white ink, and one per cut spot; white and cuts are
    marked as processing steps. The art keeps its source pixels. Nothing is printed further out than the bleed.

    Args:
        cutout: The art.
        cut_line: Where the blade goes.
        ink: What is printed besides the art.
        spec: Names and widths of the printer preset, bleed.
        press: The press it is made for; makes it a PDF/X-4 file.
    """
    pdf = Pdf.new()
    page = _Page(pdf, PageFrame(cut_line.trim_box.height_mm, spec.bleed_mm), {}, {}, {}, {}, [])
    space = pdf.make_indirect(icc_srgb(pdf))
    _add_ground(page, ink)
    _add_edges(page, ink, space)
    _add_art(page, cutout, cut_line, ink, space)
    if ink.white is not None:
        _add_white(page, ink.white, spec)
    _add_cuts(page, cut_line, spec)
    return _saved(page, cut_line, spec, space, press)


def _add_ground(page: _Page, ink: Ink) -> None:
    """Adds the colour of border and bleed, or else paper: no ink at all, only something opaque to print on.

    White ink and cuts overprint, which blends them with what is below. Where that is see-through art over nothing,
    the result is left to the renderer; Ghostscript makes the art solid there.
    """
    title, fill = "Paper", "0 0 0 0 k"
    if ink.border_rgb is not None:
        channels = " ".join(f"{channel / 255:.5g}" for channel in ink.border_rgb)
        title, fill = "Border and bleed", f"/CsRgb cs {channels} scn"
    page.add("LGround", layer(page.pdf, title), fill, page.frame.polygons(ink.bleed), "f*")


def _add_edges(page: _Page, ink: Ink, space: Object) -> None:
    if ink.edges is None:
        return
    page.images["ImEdges"] = rgb_image(page.pdf, ink.edges.rgb, space)
    clip = clipped(page.frame.polygons(ink.edges.area))
    page.add("LBleed", layer(page.pdf, "Bleed"), clip, page.frame.image("ImEdges", ink.edges.box))


def _add_art(page: _Page, cutout: Cutout, cut_line: CutLine, ink: Ink, space: Object) -> None:
    left, top, right, bottom = _printed_px(cutout, cut_line, ink.art.bounds)
    page.images["ImArt"] = rgba_image(page.pdf, cutout.rgba[top:bottom, left:right], space)
    scale, (x_mm, y_mm) = cut_line.mm_per_px, cut_line.canvas_origin_mm
    box = BoxMm(x_mm + left * scale, y_mm + top * scale, (right - left) * scale, (bottom - top) * scale)
    clip = clipped(page.frame.polygons(ink.art))
    page.add("LArt", layer(page.pdf, "Artwork"), clip, page.frame.image("ImArt", box))


def _printed_px(
    cutout: Cutout, cut_line: CutLine, bounds: tuple[float, float, float, float]
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels that are visible within bounds given in mm."""
    left, top, width, height = cv2.boundingRect(cv2.extractChannel(cutout.rgba, 3))
    (x_mm, y_mm), scale = cut_line.canvas_origin_mm, cut_line.mm_per_px
    x_min, y_min, x_max, y_max = bounds
    return (
        max(left, int((x_min - x_mm) / scale)),
        max(top, int((y_min - y_mm) / scale)),
        min(left + width, int((x_max - x_mm) / scale) + 1),
        min(top + height, int((y_max - y_mm) / scale) + 1),
    )


def _add_white(page: _Page, area: MultiPolygon, spec: ResolvedSpec) -> None:
    """Adds white ink on top of all print, though a press lays it down first: the order of inks is the RIP's business.

    Below the art it would be knocked out where overprint of RGB images is ignored, as Ghostscript does. On top it must
    not touch what is below: overprint leaves the other plates alone, and Darken, without a colour of its own on screen,
    does the same in viewers, which paint opaquely instead of overprinting. Multiply would not do: together with
    overprint it multiplies the other plates with themselves, while the darker of two equals is no change.
    """
    page.spots["CsWhite"] = separation(page.pdf, spec.preset.white_spot, _SCREEN_CMYK["white"])
    page.states["GsWhite"] = overprint_state(page.pdf, on=True, blend_mode="Darken")
    group = layer(page.pdf, spec.preset.white_spot, group="White")
    page.add("LWhite", group, "/GsWhite gs /CsWhite cs 1 scn", page.frame.polygons(area), "f*")


def _add_cuts(page: _Page, cut_line: CutLine, spec: ResolvedSpec) -> None:
    page.states["GsCut"] = overprint_state(page.pdf, on=spec.preset.overprint)
    for number, kiss in enumerate((True, False)):
        role = CutRole.KISS if kiss else CutRole.THROUGH
        spot = spot_of(role, cut_line, spec)
        paths = [path for kind, path in cut_line.paths if spot_of(kind, cut_line, spec) == spot]
        if not paths or (kiss and not cut_line.kiss):
            continue
        page.spots[f"CsCut{number}"] = separation(page.pdf, spot, _SCREEN_CMYK["kiss" if kiss else "through"])
        group = layer(page.pdf, spot, group="Structural", step=_STEPS[kiss])
        stroke = f"/GsCut gs /CsCut{number} CS 1 SCN {spec.preset.stroke_pt:g} w 1 j 1 J"
        page.add(f"LCut{number}", group, stroke, *(f"{page.frame.bezier(path)}\nS" for path in paths))


def _saved(page: _Page, cut_line: CutLine, spec: ResolvedSpec, space: Object, press: PressProfile | None) -> bytes:
    pdf, bleed = page.pdf, spec.bleed_mm
    width_mm, height_mm = cut_line.trim_box.width_mm, cut_line.trim_box.height_mm
    media = _box_pt(0, 0, width_mm + 2 * bleed, height_mm + 2 * bleed)
    content = Dictionary(
        Type=Name.Page,
        MediaBox=media,
        CropBox=media,
        BleedBox=media,
        TrimBox=_box_pt(bleed, bleed, width_mm + bleed, height_mm + bleed),
        Group=Dictionary(S=Name.Transparency, CS=space, I=True),
        Contents=pdf.make_stream("\n".join(page.operators).encode()),
        Resources=Dictionary(
            XObject=_named(page.images),
            ColorSpace=_named({**page.spots, "CsRgb": space}),
            ExtGState=_named(page.states),
            Properties=_named(page.layers),
        ),
    )
    pdf.pages.append(Page(pdf.make_indirect(content)))
    groups = Array(list(page.layers.values()))
    default = Dictionary(Name=String("Default"), Order=groups, ON=groups)
    pdf.Root.OCProperties = Dictionary(OCGs=groups, D=default)
    describe(pdf, title=f"Sticker {width_mm:.2f} x {height_mm:.2f} mm", press=press)
    written = io.BytesIO()
    pdf.save(written, deterministic_id=True, force_version="1.6")
    return written.getvalue()


def _box_pt(*sides_mm: float) -> Array:
    return Array([round(side * PT_PER_MM, 5) for side in sides_mm])


def _named(objects: dict[str, Object]) -> Dictionary:
    return Dictionary({f"/{name}": item for name, item in objects.items()})

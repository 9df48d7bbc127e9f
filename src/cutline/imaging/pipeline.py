"""Artwork bytes and a spec in, everything a sticker needs out. Read this first.

The steps, in order; each is one module or folder and hands frozen values on:

    decode      decode/             bytes to sRGB pixels, within the limits
    cutout      cutout/             background off
    outline     outline.py          alpha to polygons in pixels
    cut_line    cut_line/build.py   polygons to the paths of the blade in mm
    readiness   readiness/          measures and findings
    ink         exports/ink.py      border, bleed and white ink around the art
    exports     exports/            one step per file
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.outputs import OutputFile, OutputFormat, print_verdict
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.build import build_cut_line
from cutline.imaging.cut_line.model import CutLine
from cutline.imaging.cut_line.scale import longer_side_mm
from cutline.imaging.cutout import cut_out
from cutline.imaging.cutout.remover import BackgroundRemover
from cutline.imaging.decode import decode_artwork
from cutline.imaging.exports.cut_line_dxf import cut_line_dxf
from cutline.imaging.exports.cut_line_svg import cut_line_svg
from cutline.imaging.exports.cutout_png import cutout_png
from cutline.imaging.exports.ink import Ink, lay_ink
from cutline.imaging.exports.preview_png import preview_png
from cutline.imaging.exports.print_pdf import print_pdf
from cutline.imaging.exports.report_json import report_json
from cutline.imaging.geometry import measure
from cutline.imaging.model import Artwork, Cutout, StepObserver, StickerResult
from cutline.imaging.outline import trace_outline
from cutline.imaging.press_profile import PressProfile
from cutline.imaging.readiness.checks import inspect
from cutline.imaging.readiness.model import Sticker
from cutline.imaging.vector_size import vector_sizer

STEPS: Final[dict[str, float]] = {
    "decode": 0.0,
    "cutout": 0.1,
    "outline": 0.3,
    "cut_line": 0.37,
    "readiness": 0.5,
    "ink": 0.55,
    "cutout_png": 0.57,
    "cut_line_svg": 0.68,
    "cut_line_dxf": 0.69,
    "print_pdf": 0.7,
    "preview_png": 0.85,
    "report_json": 0.99,
}
"""Every step's name and roughly the share of a run that lies before it."""

_EXPORTS: Final[dict[OutputFormat, Callable[[Cutout, CutLine, Ink, ResolvedSpec, PressProfile | None], bytes]]] = {
    OutputFormat.CUTOUT_PNG: lambda cutout, cut_line, *_: cutout_png(cutout, cut_line),
    OutputFormat.CUT_LINE_SVG: lambda _cutout, cut_line, _ink, spec, _press: cut_line_svg(cut_line, spec),
    OutputFormat.CUT_LINE_DXF: lambda _cutout, cut_line, _ink, spec, _press: cut_line_dxf(cut_line, spec),
    OutputFormat.PRINT_PDF: print_pdf,
    OutputFormat.PREVIEW_PNG: lambda cutout, cut_line, ink, spec, _press: preview_png(cutout, cut_line, ink, spec),
}


def unobserved(_step: str, _share: float) -> AbstractContextManager[None]:
    """An observer that does nothing."""
    return nullcontext()


def process(
    data: bytes,
    spec: ResolvedSpec,
    *,
    limits: ArtworkLimits | None = None,
    observe: StepObserver = unobserved,
    model: BackgroundRemover | None = None,
    press: PressProfile | None = None,
) -> StickerResult:
    """Makes a sticker of artwork: cutout, cut line, findings and the files of `spec.output_formats`.

    The same input gives the same bytes.

    Args:
        data: The artwork file.
        spec: What is wanted.
        limits: How large artwork may be.
        observe: Called around every step with its name and the share of the run done before it.
        model: A learned background remover, where there is one.
        press: The press that files are made for, where it is known.

    Raises:
        ArtworkError: The artwork cannot become this sticker; its reason and message say why.
    """
    with observe("decode", STEPS["decode"]):
        artwork = decode_artwork(data, limits=limits or ArtworkLimits(), svg_target_px=vector_sizer(spec))
    with observe("cutout", STEPS["cutout"]):
        cutout = cut_out(
            artwork,
            method=spec.cutout_method,
            alpha_threshold=spec.alpha_threshold,
            remove_enclosed_background=spec.remove_enclosed_background,
            model=model,
        )
    return make_sticker(artwork, cutout, spec, observe=observe, press=press)


def make_sticker(
    artwork: Artwork,
    cutout: Cutout,
    spec: ResolvedSpec,
    *,
    observe: StepObserver = unobserved,
    press: PressProfile | None = None,
) -> StickerResult:
    """The steps after the background is off; `process` says more.

    Raises:
        ArtworkError: NO_SUBJECT, SIZE_IMPOSSIBLE or CUT_LINE_IMPOSSIBLE.
    """
    with observe("outline", STEPS["outline"]):
        outline = trace_outline(cutout.rgba, alpha_threshold=spec.alpha_threshold, longer_side_mm=longer_side_mm(spec))
    with observe("cut_line", STEPS["cut_line"]):
        cut_line = build_cut_line(outline, spec)
    with observe("readiness", STEPS["readiness"]):
        geometry = measure(artwork, cutout, cut_line)
        findings = inspect(Sticker(artwork, cutout, outline, cut_line, geometry, spec, press))
    with observe("ink", STEPS["ink"]):
        ink = lay_ink(cutout, cut_line, spec)
    files = []
    for kind, export in _EXPORTS.items():
        if kind in spec.output_formats:
            with observe(kind.value.lower(), STEPS[kind.value.lower()]):
                files.append(OutputFile(kind, export(cutout, cut_line, ink, spec, press)))
    verdict = print_verdict(findings)
    with observe("report_json", STEPS["report_json"]):
        report = report_json(
            spec=spec,
            geometry=geometry,
            findings=findings,
            print_verdict=verdict,
            cutout_method=cutout.method,
            cutout_confidence=cutout.confidence,
            cut_paths=cut_line.cut_paths,
        )
    if OutputFormat.REPORT_JSON in spec.output_formats:
        files.append(OutputFile(OutputFormat.REPORT_JSON, report))
    return StickerResult(
        geometry=geometry,
        findings=findings,
        print_verdict=verdict,
        cutout_method=cutout.method,
        cutout_confidence=cutout.confidence,
        cut_paths=cut_line.cut_paths,
        files=tuple(files),
    )

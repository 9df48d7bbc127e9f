"""`cutline process`: one file through the pure engine, with no server at all."""

from __future__ import annotations

import stat
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cutline.cli.engine import (
    DEADLINE_S,
    MEMORY_LIMIT_BYTES,
    EngineDeadlineError,
    EngineMemoryError,
    EngineMissingError,
    Made,
    PressProfileRefusedError,
    run_engine,
)
from cutline.cli.failures import ExitCode, explain, fail
from cutline.cli.file_set import write_set
from cutline.cli.options import folder
from cutline.cli.printing import VERDICT_STYLES, console, on_one_line
from cutline.cli.spec_options import with_spec_but_mockups
from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import CutlineError
from cutline.domain.outputs import FILE_NAMES, FindingLevel, OutputFormat, PrintVerdict
from cutline.domain.sticker_spec import ResolvedSpec, StickerSpec, resolve


class FailOn(StrEnum):
    """From which verdict on the command fails."""

    WARN = "warn"
    FAIL = "fail"


@with_spec_but_mockups
def process(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Artwork: PNG, JPEG, WebP, TIFF, GIF, AVIF, SVG.")],
    spec: StickerSpec,
    out: Annotated[Path, typer.Option(help="Folder for the files.", parser=folder, metavar="FOLDER")],
    fail_on: Annotated[FailOn | None, typer.Option(help="Exit with 1 from this print verdict on.")] = None,
    press_profile: Annotated[
        Path | None, typer.Option(metavar="ICC", help="CMYK profile of the press; makes print.pdf a PDF/X-4 file.")
    ] = None,
) -> None:
    """Make print-ready files of one artwork, here and now, without a server.

    Writes cutout.png, cutline.svg, cutline.dxf, print.pdf, preview.png and report.json, all or none.

    With --format only those named, and cutout.png and report.json, which are made always.
    """
    try:
        resolved = resolve(spec, field_prefix="")
    except CutlineError as error:
        fail(explain(error), ExitCode.BAD_INPUT)
    try:
        result = _run(_read(file), resolved, press_profile)
    except CutlineError as error:
        fail(f"{file}: {explain(error)}", ExitCode.BAD_INPUT)
    _write(result, out)
    _summarise(file, result, out)
    if press_profile is None and OutputFormat.PRINT_PDF in resolved.output_formats:
        console().print("  print.pdf is sRGB and claims no PDF/X: no --press-profile was given", markup=False)
    if fail_on is not None and _reaches(result.print_verdict, fail_on):
        raise typer.Exit(ExitCode.DESIGN_FAILED)


def _read(file: Path) -> bytes:
    limit_bytes = ArtworkLimits().max_bytes
    try:
        kind = file.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):  # a pipe may never be written to, a device never end
            fail(f"{file}: is no regular file", ExitCode.BAD_INPUT)
        with file.open("rb") as stream:
            return stream.read(limit_bytes + 1)  # the engine names the limit; nothing reads further than that
    except OSError as error:
        fail(f"{file}: {error.strerror or error}", ExitCode.BAD_INPUT)


def _run(data: bytes, spec: ResolvedSpec, press_profile: Path | None) -> Made:
    press_icc = _read(press_profile) if press_profile else None
    try:
        return run_engine(data, spec, press_icc)
    except EngineMissingError as error:
        fail(f"{error} is not installed: pip install 'cutline[imaging]'", ExitCode.BAD_INPUT)
    except PressProfileRefusedError as error:
        fail(f"{press_profile} {error}", ExitCode.BAD_INPUT)
    except EngineDeadlineError:
        fail(f"the artwork takes longer than {DEADLINE_S:g} s; a simpler or smaller one helps", ExitCode.TIMED_OUT)
    except EngineMemoryError:
        limit = f"{MEMORY_LIMIT_BYTES / 1024**3:g} GiB"
        fail(f"the artwork takes more memory than {limit}; a simpler or smaller one helps", ExitCode.BAD_INPUT)


def _write(result: Made, out: Path) -> None:
    try:
        write_set({FILE_NAMES[made.kind]: made.data for made in result.files}, out)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}; nothing was written", ExitCode.BAD_INPUT)


def _summarise(file: Path, result: Made, out: Path) -> None:
    geometry = result.geometry
    shown = console()
    shown.print(
        Text.assemble(
            f"{on_one_line(str(file))}  {geometry.cut_width_mm:.2f} x {geometry.cut_height_mm:.2f} mm"
            f"  cutout {result.cutout_method} ({result.cutout_confidence:.2f})  print ",
            (result.print_verdict.value, VERDICT_STYLES[result.print_verdict]),
        )
    )
    for finding in result.findings:
        if finding.level in {FindingLevel.WARN, FindingLevel.FAIL}:
            level = (finding.level.value, VERDICT_STYLES[finding.level])
            shown.print(Text.assemble("  ", level, f" {finding.code}: {finding.message} {finding.fix}"))
    shown.print(f"  {len(result.files)} files in {on_one_line(str(out))}", markup=False)


def _reaches(verdict: PrintVerdict, fail_on: FailOn) -> bool:
    if verdict is PrintVerdict.FAIL:
        return True
    return verdict is PrintVerdict.WARN and fail_on is FailOn.WARN

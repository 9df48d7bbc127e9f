"""Sends the sample artworks through the public API, shows what happens, and keeps what comes back."""

from __future__ import annotations

import asyncio
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from cutline.client import AsyncClient, AsyncDesign, ClientError, ClientSettings
from cutline.embedded.contact_sheet import SheetRow, contact_sheet
from cutline.embedded.stack import EmbeddedStack
from cutline.v1 import design_pb2, report_pb2, sticker_spec_pb2

SAMPLES: Final = Path("samples/samples.toml")
_PATIENCE_S: Final = 300.0
_JPEG_QUALITY: Final = 88
_PLAIN_WIDTH: Final = 150


@dataclass(frozen=True, slots=True)
class Sample:
    """One artwork and the sticker it becomes; `spec` holds fields of a StickerSpec."""

    path: Path
    title: str
    spec: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a sample: the design as it ended, and its files; or the error that ended it."""

    sample: Sample
    design: design_pb2.Design | None
    files: tuple[Path, ...] = ()
    error: str = ""


def read_samples(path: Path = SAMPLES) -> list[Sample]:
    """The samples that a list in TOML names; artworks lie beside it in artworks/.

    Raises:
        FileNotFoundError: There is no such list: the working directory is no checkout.
    """
    listed = tomllib.loads(path.read_text("utf-8"))["sample"]
    folder = path.parent / "artworks"
    return [Sample(folder / entry["file"], entry["title"], entry.get("spec", {})) for entry in listed]


async def run_samples(stack: EmbeddedStack, out_dir: Path) -> int:
    """Makes stickers of every sample at once and writes files, a contact sheet and a table.

    Returns:
        0 where every sample is READY with all its files, else 1.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    settings = ClientSettings.from_env(stack.client_environment())
    samples = read_samples()
    async with AsyncClient(settings) as client:
        with _progress(console) as progress:
            made = await asyncio.gather(*(_make(client, sample, out_dir, progress) for sample in samples))
    good = [one for one in made if one.design is not None and not one.error]
    if good:
        sheet = await asyncio.to_thread(_write_contact_sheet, good, out_dir)
        console.print(_table(made))
        console.print(f"Files are in {out_dir}/<sample>/, all of them at a glance in {sheet}")
    for one in made:
        if one.error:
            console.print(f"{one.sample.path.name}: {one.error}", style="red")
    return 0 if len(good) == len(samples) else 1


async def _make(client: AsyncClient, sample: Sample, out_dir: Path, progress: Progress) -> Made:
    line = progress.add_task(sample.path.name, total=1.0, state="uploading")
    try:
        design = await client.designs.submit(sample.path, title=sample.title, **sample.spec)
        await asyncio.wait_for(_follow(design, progress, line), _PATIENCE_S)
        if design.state != "READY":
            failure = design.message.failure
            return Made(sample, design.message, error=f"{design.state} {failure.reason}: {failure.message}")
        folder = out_dir / sample.path.stem
        files = await design.download(folder)
        lacking = _lacking(design.message)
        return Made(sample, design.message, tuple(files), error=f"made no {lacking}" if lacking else "")
    except (ClientError, TimeoutError) as error:
        progress.update(line, state="[red]failed[/]")
        return Made(sample, None, error=str(error) or f"did not end within {_PATIENCE_S:g} s")


async def _follow(design: AsyncDesign, progress: Progress, line: TaskID) -> None:
    told = ""
    async for message in design.watch():
        stage = design_pb2.Stage.Name(message.stage).removeprefix("STAGE_").lower()
        working = message.state == design_pb2.Design.STATE_PROCESSING
        state = stage if working else design.state
        progress.update(line, completed=1.0 if design.state == "READY" else message.progress, state=state)
        if progress.disable and state != told:
            progress.console.print(f"{progress.tasks[line].description:<14} {state}")
            told = state


def _lacking(design: design_pb2.Design) -> str:
    """Names what was asked for and is not there, empty where all is."""
    asked = Counter(design.resolved_spec.output_formats)
    asked.subtract(artifact.kind for artifact in design.artifacts)
    kinds = [kind for kind, count in asked.items() if count > 0]
    if kinds:
        return f"file of {len(kinds)} of {len(design.resolved_spec.output_formats)} formats"
    return "" if design.mockups else "mockups"


def _write_contact_sheet(made: Sequence[Made], out_dir: Path) -> Path:
    rows = []
    for one in made:
        files = {path.name: path for path in one.files}
        mockups = sorted(path for name, path in files.items() if name.startswith("mockup"))
        rows.append(
            SheetRow(
                title=one.sample.title,
                artwork=one.sample.path.read_bytes(),
                cutout_png=files["cutout.png"].read_bytes(),
                preview_png=files["preview.png"].read_bytes(),
                mockups=tuple(path.read_bytes() for path in mockups),
            )
        )
    sheet = contact_sheet(rows)
    path = out_dir / "contact-sheet.png"
    sheet.save(path)
    sheet.save(path.with_suffix(".jpg"), quality=_JPEG_QUALITY)
    return path


def _table(made: Sequence[Made]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading, justify in (("sample", "left"), ("state", "left"), ("cutout", "left"), ("finished size", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # a Literal of rich's own
    for heading in ("resolution", "print", "files", "time"):
        table.add_column(heading, justify="right")
    table.add_column("to mend", overflow="ellipsis", no_wrap=True)
    for one in made:
        table.add_row(one.sample.path.name, *_cells(one))
    return table


def _cells(one: Made) -> list[str]:
    design = one.design
    if design is None:
        return ["[red]failed[/]"]
    geometry = design.geometry
    method = sticker_spec_pb2.CutoutMethod.Name(design.cutout_method).removeprefix("CUTOUT_METHOD_")
    verdict = report_pb2.PrintVerdict.Name(design.print_verdict).removeprefix("PRINT_VERDICT_")
    troubled = (report_pb2.FINDING_LEVEL_WARN, report_pb2.FINDING_LEVEL_FAIL)
    took_s = (design.finish_time.ToDatetime() - design.create_time.ToDatetime()).total_seconds()
    color = {"PASS": "green", "WARN": "yellow"}.get(verdict, "red")
    return [
        design_pb2.Design.State.Name(design.state).removeprefix("STATE_"),
        f"{method} {design.cutout_confidence:.2f}",
        f"{geometry.cut_width_mm:.1f} x {geometry.cut_height_mm:.1f} mm",
        f"{geometry.effective_dpi:.0f} dpi",
        f"[{color}]{verdict}[/]",
        str(len(one.files)),
        f"{took_s:.1f} s",
        ", ".join(finding.code for finding in design.findings if finding.level in troubled),
    ]


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TextColumn("{task.fields[state]:<10}"),
        TimeElapsedColumn(),
        console=console,
        # Without a terminal there is nothing to redraw: each change of state gets a line instead.
        disable=not console.is_terminal,
    )

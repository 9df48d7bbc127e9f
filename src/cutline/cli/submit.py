"""`cutline submit`: artwork in, designs out, followed and fetched on request."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from cutline.cli.artwork_files import STANDARD_INPUT, Source, find_sources
from cutline.cli.batch import Batch, NotSubmittedError, Submitted, Wishes
from cutline.cli.board import Board
from cutline.cli.failures import ExitCode, run
from cutline.cli.options import LaneName, Output, folder, parse_labels
from cutline.cli.printing import (
    OutputStyle,
    error_console,
    listing,
    on_one_line,
    print_json,
    print_table,
    styled_state,
    verdict,
)
from cutline.cli.spec_options import with_spec
from cutline.domain.sticker_spec import StickerSpec
from cutline.v1 import job_pb2

MOST_INPUT_BYTES: Final = 1_000_000_000
"""More than any service takes; what never ends is not read for ever."""
MOST_NAMED: Final = 20
"""Ids in the summary of an interrupted submit."""


@with_spec
def submit(
    *,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Artwork (PNG, JPEG, WebP, TIFF, GIF, AVIF, SVG), a folder of it, or - for standard input.",
        ),
    ],
    spec: StickerSpec,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into folders in folders too.")] = False,
    filename: Annotated[str, typer.Option(help="File name of what comes from standard input.")] = "stdin",
    title: Annotated[str, typer.Option(help="Label for people; default the file's name.")] = "",
    reference: Annotated[str, typer.Option(help="Your own reference, such as an order number.")] = "",
    label: Annotated[list[str] | None, typer.Option(help="Label as KEY=VALUE; repeat for more.")] = None,
    lane: Annotated[LaneName, typer.Option(help="How urgent it is.")] = LaneName.STANDARD,
    max_attempts: Annotated[int | None, typer.Option(min=1, max=20, help="Attempts before it is given up.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until every design has ended.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Wait, but for each design this many seconds at most.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Wait, and put the files of each design into FOLDER/<name>.", parser=folder, metavar="FOLDER"
        ),
    ] = None,
    window: Annotated[
        int, typer.Option(min=1, max=500, help="Most designs unfinished at once while waiting, else uploads.")
    ] = 8,
    batch: Annotated[
        str, typer.Option(help="Name of this submit: repeated under it within 7 days, nothing is made twice.")
    ] = "",
    output: Output = OutputStyle.TABLE,
) -> None:
    """Upload artwork and submit a design of each file.

    What cannot be submitted does not stop the rest. Of several exit codes the highest is told.
    """
    sources = find_sources(files, recursive=recursive, input_name=filename)
    if all(source.problem for source in sources):
        complaint = sources[0]
        message = f"{complaint.shown} {complaint.problem}"
        raise typer.BadParameter(message, param_hint="FILE")
    labels = parse_labels(label or [])
    _make(out)
    wishes = Wishes(
        spec=spec,
        title=title,
        reference=reference,
        labels=labels,
        job=job_pb2.JobOptions(lane=job_pb2.Lane.Value(f"LANE_{lane.name}"), max_attempts=max_attempts),
        wait=wait or timeout is not None or out is not None,
        timeout_s=timeout,
        out=out,
        window=window,
        batch=batch,
        input_data=_standard_input(files),
        input_name=filename,
    )
    _run(Board(len(sources), output), sources, wishes, output)


def _make(out: Path | None) -> None:
    """Makes the folder for files: better refused now than when the first design is ready."""
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}"
        raise typer.BadParameter(message, param_hint="--out") from None


def _standard_input(files: list[str]) -> bytes:
    """What comes from standard input, where that is asked for."""
    if files.count(STANDARD_INPUT) > 1:
        message = "standard input can be read once"
        raise typer.BadParameter(message, param_hint="FILE")
    if STANDARD_INPUT not in files:
        return b""
    if sys.stdin.isatty():
        message = "standard input is a terminal; redirect a file to it"
        raise typer.BadParameter(message, param_hint="FILE")
    data = sys.stdin.buffer.read(MOST_INPUT_BYTES + 1)
    if not data or len(data) > MOST_INPUT_BYTES:
        message = (
            f"more than {MOST_INPUT_BYTES:,} bytes come from standard input" if data else "standard input is empty"
        )
        raise typer.BadParameter(message, param_hint="FILE")
    return data


def _run(board: Board, sources: list[Source], wishes: Wishes, output: OutputStyle) -> None:
    """Submits, prints and ends with the exit code."""
    batch = Batch(sources, wishes, board, lambda one: _tell(one, board, output))

    def stopped() -> None:
        if output is OutputStyle.NDJSON:
            for one in batch.unfinished:
                if not one.ended:
                    print_json(one.facts(), output)
        _print(batch.submitted, output)
        _advise(batch, "stopped: ")

    run(batch.run(), stopped)
    _print(batch.submitted, output)
    if len(sources) > 1 and output is OutputStyle.TABLE:
        board.summarise()
    if batch.exit_code in {ExitCode.UNAVAILABLE, ExitCode.TIMED_OUT}:
        _advise(batch)
    if batch.exit_code:
        raise typer.Exit(batch.exit_code)


def _tell(one: Submitted, board: Board, output: OutputStyle) -> None:
    """Tells what there is to tell of a file at once."""
    if output is OutputStyle.NDJSON:
        print_json(one.facts(), output)
    if one.error is not None and not isinstance(one.error, NotSubmittedError):
        board.complain(one.complaint)


def _print(submitted: Sequence[Submitted], output: OutputStyle) -> None:
    if output is OutputStyle.JSON:
        print_json([one.facts() for one in submitted])
    if output is not OutputStyle.TABLE:
        return
    table = listing("DESIGN", "STATE", "PRINT", "FILE", "FILES")
    for one in submitted:
        if one.design is not None:
            note = " (already under way)" if one.design.deduplicated else ""
            table.add_row(
                one.design.id,
                styled_state(one.design.message).append(note),
                verdict(one.design.message),
                Text(on_one_line(one.source.shown)),
                Text(on_one_line(str(one.folder or "-"))),
            )
    if table.row_count:
        print_table(table)


def _advise(batch: Batch, because: str = "") -> None:
    """Says what is still under way or was never sent, and how to go on."""
    under_way = [one.design.id for one in batch.unfinished if one.design is not None]
    shown = error_console()
    shown.print(f"{because}{len(under_way)} still under way, {len(batch.unsent)} not submitted", markup=False)
    if under_way:
        more = f" (and {len(under_way) - MOST_NAMED} more)" if len(under_way) > MOST_NAMED else ""
        shown.print(
            f"to follow what is under way: cutline watch {' '.join(under_way[:MOST_NAMED])}{more}", markup=False
        )
    if batch.unsent:
        again = "nothing is" if batch.repeatable else "what is still under way is joined, not"
        shown.print(f"the same command again submits the rest; {again} made twice", markup=False)

"""`cutline submit`: artwork files in, designs out, followed and fetched on request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cutline.cli.failures import ExitCode, exit_code, explain, run
from cutline.cli.printing import OutputStyle, as_dict, complain, console, listing, print_json, styled_state, verdict
from cutline.cli.progress import DesignProgress
from cutline.cli.spec_options import with_spec
from cutline.client import ArtworkFileError, AsyncClient, AsyncDesign, ClientError, DesignFailedError, WaitTimeoutError
from cutline.domain.sticker_spec import StickerSpec
from cutline.v1 import job_pb2

AT_ONCE = 8


class LaneName(StrEnum):
    """How urgent the work is."""

    EXPRESS = "express"
    STANDARD = "standard"
    BULK = "bulk"


@dataclass
class Submitted:
    """What became of one file.

    Attributes:
        name: What the file is called in messages; no two are alike.
        design: Its design, once accepted.
        folder: Where its files are, once fetched.
        error: Why it went no further.
    """

    path: Path
    name: str
    design: AsyncDesign | None = None
    folder: Path | None = None
    error: ClientError | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What holds for every file of a submit."""

    spec: StickerSpec
    title: str
    reference: str
    labels: dict[str, str]
    job: job_pb2.JobOptions
    wait: bool
    timeout_s: float | None
    out: Path | None


@with_spec
def submit(
    *,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Artwork: PNG, JPEG, WebP, TIFF, GIF, AVIF, SVG.")
    ],
    spec: StickerSpec,
    title: Annotated[str, typer.Option(help="Label for people; default the file's name.")] = "",
    reference: Annotated[str, typer.Option(help="Your own reference, such as an order number.")] = "",
    label: Annotated[list[str] | None, typer.Option(help="Label as KEY=VALUE; repeat for more.")] = None,
    lane: Annotated[LaneName, typer.Option(help="How urgent it is.")] = LaneName.STANDARD,
    max_attempts: Annotated[int | None, typer.Option(min=1, max=20, help="Attempts before it is given up.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until every design has ended.")] = False,
    timeout: Annotated[float | None, typer.Option(min=0, help="Longest wait in seconds.")] = None,
    out: Annotated[Path | None, typer.Option(help="Wait, and put the files of each design into DIR/<name>.")] = None,
    output: Annotated[OutputStyle, typer.Option(help="How to print the designs.")] = OutputStyle.TABLE,
) -> None:
    """Upload artwork and submit a design of each file."""
    job = job_pb2.JobOptions(lane=job_pb2.Lane.Value(f"LANE_{lane.name}"), max_attempts=max_attempts)
    wishes = Wishes(spec, title, reference, parse_labels(label or []), job, wait or out is not None, timeout, out)
    submitted = run(_submit_all(_named(files), wishes))
    _print(submitted, output)
    for one in submitted:
        if one.error is not None:
            named = "" if isinstance(one.error, ArtworkFileError) else f"{one.path}: "
            complain(f"{named}{explain(one.error)}")
    if code := max((exit_code(one.error) for one in submitted if one.error is not None), default=ExitCode.OK):
        raise typer.Exit(code)


def parse_labels(texts: list[str]) -> dict[str, str]:
    """Labels from KEY=VALUE.

    Raises:
        typer.BadParameter: A text has no key or no equals sign.
    """
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            message = f"{text!r} is not KEY=VALUE"
            raise typer.BadParameter(message, param_hint="--label")
    return dict(text.split("=", 1) for text in texts)


def _named(files: list[Path]) -> list[Submitted]:
    """Files with names for messages and folders; equal stems are numbered."""
    named: list[Submitted] = []
    taken: set[str] = set()
    for path in files:
        name, number = path.stem, 1
        while name in taken:
            number += 1
            name = f"{path.stem}-{number}"
        taken.add(name)
        named.append(Submitted(path, name))
    return named


async def _submit_all(files: list[Submitted], wishes: Wishes) -> list[Submitted]:
    turn = asyncio.Semaphore(AT_ONCE)
    async with AsyncClient() as client:
        with DesignProgress([one.name for one in files]) as progress:

            async def take(one: Submitted) -> None:
                async with turn:
                    try:
                        await _submit_one(client, one, wishes, progress)
                    except ClientError as error:
                        one.error = error

            async with asyncio.TaskGroup() as group:
                for one in files:
                    group.create_task(take(one))
    return files


async def _submit_one(client: AsyncClient, one: Submitted, wishes: Wishes, progress: DesignProgress) -> None:
    progress.say(one.name, "uploading")
    design = one.design = await client.designs.submit(
        one.path,
        wishes.spec,
        title=wishes.title,
        reference=wishes.reference,
        labels=wishes.labels,
        job=wishes.job,
    )
    progress.show(one.name, design.message)
    if not wishes.wait:
        return
    try:
        async with asyncio.timeout(wishes.timeout_s):
            async for revision in design.watch():
                progress.show(one.name, revision)
    except TimeoutError:
        message = f"Design {design.id} did not end within {wishes.timeout_s:g} s."
        raise WaitTimeoutError(message) from None
    if design.state != "READY":
        raise DesignFailedError(design.message)
    if wishes.out is not None:
        folder = wishes.out / one.name
        await design.download(folder)
        one.folder = folder


def _print(submitted: list[Submitted], output: OutputStyle) -> None:
    if output is OutputStyle.JSON:
        print_json([_facts(one) for one in submitted])
        return
    table = listing("DESIGN", "STATE", "PRINT", "FILE", "FILES")
    for one in submitted:
        if one.design is not None:
            note = " (already under way)" if one.design.deduplicated else ""
            table.add_row(
                one.design.id,
                styled_state(one.design.message).append(note),
                verdict(one.design.message),
                Text(str(one.path)),
                Text(str(one.folder or "-")),
            )
    if table.row_count:
        console().print(table)


def _facts(one: Submitted) -> dict[str, Any]:
    facts: dict[str, Any] = {"file": str(one.path)}
    if one.design is not None:
        facts |= {"design": as_dict(one.design.message), "deduplicated": one.design.deduplicated}
    if one.folder is not None:
        facts["folder"] = str(one.folder)
    if one.error is not None:
        facts["error"] = explain(one.error)
    return facts

"""The commands about designs that exist: watch, get, list, download, cancel, reprocess, delete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from cutline.cli.failures import ExitCode, explain, fail, run
from cutline.cli.printing import OutputStyle, as_dict, console, design_table, print_design, print_json
from cutline.cli.progress import DesignProgress, describe
from cutline.cli.spec_options import with_spec
from cutline.cli.submit import parse_labels
from cutline.client import AsyncClient, DesignFailedError, StickerSpec, WaitTimeoutError
from cutline.client.watching import TERMINAL
from cutline.domain.states import DesignState
from cutline.v1 import design_pb2

_T = TypeVar("_T")

DesignId = Annotated[str, typer.Argument(metavar="DESIGN", help="Id of the design.", show_default=False)]
DesignIds = Annotated[list[str], typer.Argument(metavar="DESIGN", help="Ids of designs.", show_default=False)]
Output = Annotated[OutputStyle, typer.Option(help="How to print.")]


def watch(
    design_id: DesignId,
    timeout: Annotated[float | None, typer.Option(min=0, help="Longest wait in seconds.")] = None,
) -> None:
    """Follow a design until it ends; 1 when it ends other than READY."""
    design = run(_watch(design_id, timeout))
    if design.state != design_pb2.Design.STATE_READY:
        fail(explain(DesignFailedError(design)), ExitCode.DESIGN_FAILED)


async def _watch(design_id: str, timeout_s: float | None) -> design_pb2.Design:
    async with AsyncClient() as client:
        with DesignProgress([design_id]) as progress:
            try:
                async with asyncio.timeout(timeout_s), aclosing(client.designs.watch(design_id)) as revisions:
                    async for design in revisions:
                        progress.show(design_id, design)
                        if design.state in TERMINAL:
                            return design
            except TimeoutError:
                message = f"Design {design_id} did not end within {timeout_s:g} s."
                raise WaitTimeoutError(message) from None
    raise AssertionError


def get(
    design_id: DesignId,
    timeline: Annotated[bool, typer.Option("--timeline", help="Show every change with its time.")] = False,
    output: Output = OutputStyle.TABLE,
) -> None:
    """Show a design."""
    design = run(_get(design_id, timeline=timeline))
    if output is OutputStyle.JSON:
        print_json(as_dict(design))
    else:
        print_design(design)


async def _get(design_id: str, *, timeline: bool) -> design_pb2.Design:
    async with AsyncClient() as client:
        return await client.designs.read(design_id, timeline=timeline)


def list_(
    *,
    state: Annotated[list[DesignState] | None, typer.Option(case_sensitive=False, help="Only these states.")] = None,
    reason: Annotated[str, typer.Option(help="Only those that failed for this reason.")] = "",
    label: Annotated[list[str] | None, typer.Option(help="Only those with this label, as KEY=VALUE.")] = None,
    reference: Annotated[str, typer.Option(help="Only those with this reference.")] = "",
    text: Annotated[str, typer.Option(help="Only those with this in title, reference or file name.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most designs to show.")] = 50,
    output: Output = OutputStyle.TABLE,
) -> None:
    """List designs, newest first."""
    labels = parse_labels(label or [])

    async def read() -> list[design_pb2.Design]:
        async with AsyncClient() as client:
            designs = client.designs.list(
                states=[one.value for one in state or []],
                failure_reason=reason,
                labels=labels,
                reference=reference,
                text=text,
                page_size=min(limit, 500),
            )
            async with aclosing(designs):
                return [design async for design in first(designs, limit)]

    designs = run(read())
    if output is OutputStyle.JSON:
        print_json([as_dict(design) for design in designs])
    else:
        console().print(design_table(designs))


async def first(entries: AsyncIterator[_T], most: int) -> AsyncIterator[_T]:
    """The first entries of a list, so that no further page is fetched."""
    taken = 0
    async for entry in entries:
        yield entry
        taken += 1
        if taken == most:
            return


def download(
    design_ids: DesignIds,
    out: Annotated[Path, typer.Option(help="Folder for the files; several designs get a folder each in it.")] = Path(
        "out"
    ),
) -> None:
    """Fetch the files of designs."""

    async def fetch() -> None:
        async with AsyncClient() as client:
            for design_id in design_ids:
                folder = out / design_id if len(design_ids) > 1 else out
                for path in await client.designs.download(design_id, folder):
                    console().print(str(path), markup=False)

    run(fetch())


def cancel(design_ids: DesignIds) -> None:
    """Stop unfinished designs."""

    async def stop() -> None:
        async with AsyncClient() as client:
            for design_id in design_ids:
                design = await client.designs.cancel(design_id)
                console().print(f"{design_id}  {describe(design)}", markup=False)

    run(stop())


@with_spec
def reprocess(design_id: DesignId, spec: StickerSpec) -> None:
    """Run a design again; without options of the sticker, with the spec it has."""

    async def again() -> None:
        async with AsyncClient() as client:
            design = await client.designs.reprocess(design_id, spec if spec != StickerSpec() else None)
            console().print(
                f"{design.id}  {describe(design.message)}  generation {design.message.generation}", markup=False
            )

    run(again())


def delete(design_ids: DesignIds) -> None:
    """Delete designs with their files."""

    async def drop() -> None:
        async with AsyncClient() as client:
            for design_id in design_ids:
                await client.designs.delete(design_id)
                console().print(f"{design_id}  deleted", markup=False)

    run(drop())

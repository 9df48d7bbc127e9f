"""The commands about designs that exist: get, list, download, cancel, reprocess, delete."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cutline.cli.failures import ExitCode, exit_code, explain, run
from cutline.cli.fetching import NoFilesError, fetch_files
from cutline.cli.options import TIME_FORMATS, Before, DesignId, DesignIds, Output, ReasonOption, folder, parse_labels
from cutline.cli.printing import (
    OutputStyle,
    as_dict,
    complain,
    console,
    design_table,
    on_one_line,
    print_design,
    print_json,
    print_table,
)
from cutline.cli.spec_options import with_spec
from cutline.cli.tally import describe
from cutline.client import AsyncClient, ClientError, StickerSpec
from cutline.domain.states import DesignState
from cutline.v1 import design_pb2

_T = TypeVar("_T")

MOST_AT_ONCE = 500
Act = Callable[[AsyncClient, str], Awaitable[tuple[dict[str, Any], str]]]
"""Does something to a design; what that came to, for programs and for people."""


def get(
    design_id: DesignId,
    timeline: Annotated[bool, typer.Option("--timeline", help="Show every change with its time.")] = False,
    output: Output = OutputStyle.TABLE,
) -> None:
    """Show a design."""

    async def read() -> design_pb2.Design:
        async with AsyncClient() as client:
            return await client.designs.read(design_id, timeline=timeline)

    design = run(read())
    if output is OutputStyle.TABLE:
        print_design(design)
    else:
        print_json(as_dict(design), output)


def list_(
    *,
    state: Annotated[list[DesignState] | None, typer.Option(case_sensitive=False, help="Only these states.")] = None,
    reason: ReasonOption = "",
    label: Annotated[list[str] | None, typer.Option(help="Only those with this label, as KEY=VALUE.")] = None,
    reference: Annotated[str, typer.Option(help="Only those with this reference.")] = "",
    text: Annotated[str, typer.Option(help="Only those with this in title, reference or file name.")] = "",
    since: Annotated[
        datetime | None,
        typer.Option(formats=TIME_FORMATS, help="Only those accepted at or after this time (UTC).", show_default=False),
    ] = None,
    before: Before = None,
    limit: Annotated[int, typer.Option(min=1, help="Most designs to show.")] = 50,
    output: Output = OutputStyle.TABLE,
) -> None:
    """List designs, newest first."""
    labels = parse_labels(label or [])
    found: list[design_pb2.Design] = []

    async def read() -> None:
        async with AsyncClient() as client:
            designs = client.designs.list(
                states=[one.value for one in state or []],
                failure_reason=reason,
                labels=labels,
                reference=reference,
                text=text,
                create_time_from=since.replace(tzinfo=UTC) if since is not None else None,
                create_time_before=before.replace(tzinfo=UTC) if before is not None else None,
                page_size=min(limit, MOST_AT_ONCE),
            )
            async with aclosing(designs):
                async for design in first(designs, limit):
                    if output is OutputStyle.NDJSON:
                        print_json(as_dict(design), output)
                    else:
                        found.append(design)

    run(read())
    if output is OutputStyle.JSON:
        print_json([as_dict(design) for design in found])
    elif output is OutputStyle.TABLE:
        print_table(design_table(found))


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
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for the files; several designs get a folder each in it.", parser=folder, metavar="FOLDER"
        ),
    ] = Path("out"),
    output: Output = OutputStyle.TABLE,
) -> None:
    """Fetch the files of designs."""

    async def fetch(client: AsyncClient, design_id: str) -> tuple[dict[str, Any], str]:
        place = out / design_id if len(design_ids) > 1 else out
        design = await client.designs.get(design_id)
        if not design.message.artifacts and not design.message.mockups:
            message = f"Design {design_id} is {describe(design.message)}: it has no files"
            raise NoFilesError(message)
        paths = [str(path) for path in await fetch_files(design, place)]
        return {"design_id": design_id, "folder": str(place), "files": paths}, "\n".join(map(on_one_line, paths))

    _act_on(design_ids, fetch, output)


def cancel(design_ids: DesignIds, output: Output = OutputStyle.TABLE) -> None:
    """Stop unfinished designs."""

    async def stop(client: AsyncClient, design_id: str) -> tuple[dict[str, Any], str]:
        design = await client.designs.cancel(design_id)
        return {"design": as_dict(design)}, f"{design_id}  {describe(design)}"

    _act_on(design_ids, stop, output)


@with_spec
def reprocess(design_id: DesignId, spec: StickerSpec, output: Output = OutputStyle.TABLE) -> None:
    """Run a design again; without options of the sticker, with the spec it has."""

    async def again(client: AsyncClient, design_id: str) -> tuple[dict[str, Any], str]:
        design = await client.designs.reprocess(design_id, spec if spec != StickerSpec() else None)
        facts = {"design": as_dict(design.message), "deduplicated": design.deduplicated}
        return facts, f"{design.id}  {describe(design.message)}  generation {design.message.generation}"

    _act_on([design_id], again, output)


def delete(design_ids: DesignIds, output: Output = OutputStyle.TABLE) -> None:
    """Delete designs with their files."""

    async def drop(client: AsyncClient, design_id: str) -> tuple[dict[str, Any], str]:
        await client.designs.delete(design_id)
        return {"deleted": {"design_id": design_id}}, f"{design_id}  deleted"

    _act_on(design_ids, drop, output)


def _act_on(design_ids: list[str], act: Act, output: OutputStyle) -> None:
    """Does something to each design, and tells it at once; what is refused for one does not stop the others."""
    done: list[dict[str, Any]] = []
    codes = [ExitCode.OK]

    def tell(facts: dict[str, Any], text: str) -> None:
        done.append(facts)
        if output is OutputStyle.NDJSON:
            print_json(facts, output)
        elif output is OutputStyle.TABLE and text:
            console().print(text, markup=False)

    async def go() -> None:
        async with AsyncClient() as client:
            for design_id in design_ids:
                try:
                    tell(*await act(client, design_id))
                except ClientError as error:
                    named = "" if design_id in str(error) or len(design_ids) == 1 else f"{design_id}: "
                    complain(f"{named}{explain(error)}")
                    codes.append(exit_code(error))
                    tell({"design_id": design_id, "error": explain(error), "exit_code": int(codes[-1])}, "")

    def finish() -> None:
        if output is OutputStyle.JSON:
            print_json(done)

    run(go(), finish)
    finish()
    if code := max(codes):
        raise typer.Exit(code)

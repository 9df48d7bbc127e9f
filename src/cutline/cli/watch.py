"""`cutline watch`: some designs to their ends, or every change of all designs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from typing import Annotated, Final

import typer
from rich.text import Text

from cutline.cli.board import Board
from cutline.cli.failures import ExitCode, exit_code, explain, run
from cutline.cli.options import Output
from cutline.cli.printing import (
    STATE_STYLES,
    OutputStyle,
    as_dict,
    console,
    design_table,
    error_console,
    on_one_line,
    print_json,
    print_table,
)
from cutline.cli.tally import ENDED, Phase, describe, phase_of
from cutline.client import AsyncClient, ClientError, DesignFailedError, WaitTimeoutError, state_name
from cutline.v1 import design_pb2, status_service_pb2

AT_ONCE: Final = 100
"""Designs of a long list that are watched at a time; those that ended meanwhile are told when their turn comes."""


def watch(
    design_ids: Annotated[
        list[str] | None, typer.Argument(metavar="DESIGN", help="Ids of designs.", show_default=False)
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every change of every design, until Ctrl-C.")] = False,
    resume_token: Annotated[
        str, typer.Option(help="With --all: go on behind the change that had this token.", show_default=False)
    ] = "",
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Longest wait in seconds; with --all, how long to watch.")
    ] = None,
    output: Output = OutputStyle.TABLE,
) -> None:
    """Follow designs until they end; 1 when one ends other than READY.

    With ndjson every revision is a line, the moment it is known.
    """
    if bool(design_ids) == everything:
        raise typer.BadParameter("name designs, or say --all", param_hint="DESIGN / --all")  # noqa: EM101, TRY003
    if resume_token and not everything:
        raise typer.BadParameter("goes with --all only", param_hint="--resume-token")  # noqa: EM101, TRY003
    if everything and output is OutputStyle.JSON:
        message = "json is told at the end, and --all has none; use ndjson"
        raise typer.BadParameter(message, param_hint="--output")
    if everything:
        _watch_all(resume_token, timeout, output)
    else:
        _watch_some(list(dict.fromkeys(design_ids or [])), timeout, output)


def _watch_some(design_ids: list[str], timeout_s: float | None, output: OutputStyle) -> None:
    watching = _Watching(design_ids, timeout_s, output)

    def print_results() -> None:
        if output is OutputStyle.JSON:
            print_json([watching.facts(one) for one in design_ids])
        elif output is OutputStyle.TABLE and watching.last:
            print_table(design_table(watching.last[one] for one in design_ids if one in watching.last))

    run(watching.run(), print_results)
    print_results()
    if code := max(map(exit_code, watching.errors.values()), default=ExitCode.OK):
        raise typer.Exit(code)


class _Watching:
    """Follows several designs at once.

    Attributes:
        last: Each design as it was last told.
        errors: Why a design was not followed to READY.
    """

    def __init__(self, design_ids: list[str], timeout_s: float | None, output: OutputStyle) -> None:
        self.last: dict[str, design_pb2.Design] = {}
        self.errors: dict[str, ClientError] = {}
        self._ids = design_ids
        self._timeout_s = timeout_s
        self._output = output
        self._board = Board(len(design_ids), output)

    async def run(self) -> None:
        """Follows each to its end, or to the end of the time."""
        ahead = iter(self._ids)
        deadline_s = None if self._timeout_s is None else asyncio.get_running_loop().time() + self._timeout_s
        async with AsyncClient() as client:
            with self._board:
                try:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(min(AT_ONCE, len(self._ids))):
                            group.create_task(self._follow_each(client, ahead, deadline_s))
                except BaseExceptionGroup as failures:
                    raise failures.exceptions[0] from None

    def facts(self, design_id: str) -> dict[str, object]:
        """What a program wants to know of one."""
        design, error = self.last.get(design_id), self.errors.get(design_id)
        facts: dict[str, object] = {"design": as_dict(design)} if design is not None else {"design_id": design_id}
        if error is not None:
            facts |= {"error": explain(error), "exit_code": int(exit_code(error))}
        return facts

    async def _follow_each(self, client: AsyncClient, ahead: Iterator[str], deadline_s: float | None) -> None:
        for design_id in ahead:
            try:
                await self._follow(client, design_id, deadline_s)
            except ClientError as error:
                self._fail(design_id, error)
            else:
                self._board.leave(design_id, Phase.READY)

    async def _follow(self, client: AsyncClient, design_id: str, deadline_s: float | None) -> None:
        try:
            async with asyncio.timeout_at(deadline_s), aclosing(client.designs.watch(design_id)) as revisions:
                async for design in revisions:
                    self.last[design_id] = design
                    self._board.show(design_id, design)
                    if self._output is OutputStyle.NDJSON:
                        print_json({"design": as_dict(design)}, self._output)
                    if phase_of(design) in ENDED:
                        break
        except TimeoutError:
            message = f"Design {design_id} did not end within {self._timeout_s:g} s."
            raise WaitTimeoutError(message) from None
        if self.last[design_id].state != design_pb2.Design.STATE_READY:
            raise DesignFailedError(self.last[design_id])

    def _fail(self, design_id: str, error: ClientError) -> None:
        self.errors[design_id] = error
        last = self.last.get(design_id)
        self._board.leave(design_id, Phase.FAILED if last is None else phase_of(last))
        if self._output is OutputStyle.NDJSON and not isinstance(error, DesignFailedError):
            print_json(
                {"design_id": design_id, "error": explain(error), "exit_code": int(exit_code(error))}, self._output
            )
        named = "" if design_id in str(error) else f"{design_id}: "
        self._board.complain(f"{named}{explain(error)}")


def _watch_all(resume_token: str, timeout_s: float | None, output: OutputStyle) -> None:
    last_token = resume_token

    async def go() -> None:
        nonlocal last_token
        async with AsyncClient() as client:
            try:
                async with (
                    asyncio.timeout(timeout_s),
                    aclosing(client.designs.watch_all(resume_token=resume_token)) as changes,
                ):
                    async for change in changes:
                        _print_change(change, output)
                        last_token = change.resume_token or last_token
            except TimeoutError:
                return

    def stopped() -> None:
        if output is OutputStyle.TABLE and last_token:
            error_console().print(f"to go on from here: cutline watch --all --resume-token {last_token}", markup=False)

    run(go(), stopped)
    stopped()


def _print_change(change: status_service_pb2.WatchDesignsResponse, output: OutputStyle) -> None:
    if output is OutputStyle.NDJSON:
        print_json(as_dict(change), output)
    elif change.HasField("deleted"):
        console().print(f"{change.deleted.design_id}  deleted", markup=False)
    else:
        design = change.design
        style = STATE_STYLES.get(state_name(design.state), "")
        when = design.update_time.ToDatetime().strftime("%H:%M:%S")
        console().print(
            Text.assemble(
                f"{when}  {design.id}  ", (f"{describe(design):<18}", style), f"  {on_one_line(design.title)}"
            )
        )

"""`cutline queue dead`, `redrive` and `discard`: what was given up, and what becomes of it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from cutline.cli.designs import first
from cutline.cli.failures import ExitCode, exit_code, explain, fail, run
from cutline.cli.options import Before, Output, ReasonOption
from cutline.cli.printing import OutputStyle, as_dict, complain, console, error_console, print_json, print_table
from cutline.cli.queue_printing import by_reason, dead_letters_table
from cutline.client import AsyncClient, ClientError, dead_letter_filter
from cutline.domain.states import Stage
from cutline.v1 import job_pb2
from cutline.v1.queue_service_pb2 import DeadLetterFilter

MOST_AT_ONCE: Final = 500

Deal = Callable[[AsyncClient, DeadLetterFilter], Awaitable[Counter[str]]]
"""Redrives or discards what a filter lets through; how many that were, by what became of them."""

LetterIds = Annotated[
    list[str] | None, typer.Argument(metavar="DEAD_LETTER", help="Ids of dead letters.", show_default=False)
]
Tenant = Annotated[str, typer.Option(help="Only this tenant's.")]
StageOption = Annotated[Stage | None, typer.Option(help="Only this stage's.")]
All = Annotated[bool, typer.Option("--all", help="Every dead letter.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def dead(
    *,
    tenant: Tenant = "",
    stage: StageOption = None,
    reason: ReasonOption = "",
    before: Before = None,
    limit: Annotated[int, typer.Option(min=1, help="Most dead letters to show.")] = 50,
    output: Output = OutputStyle.TABLE,
) -> None:
    """List dead letters, newest first, and count them by reason."""
    wanted = _wanted(tenant, stage, reason, before)

    async def read() -> tuple[list[job_pb2.DeadLetter], Mapping[str, int]]:
        async with AsyncClient() as client:
            found = client.queue.dead_letters(wanted, page_size=min(limit, MOST_AT_ONCE))
            async with aclosing(found):
                letters = [letter async for letter in first(found, limit)]
            return letters, await client.queue.count_dead_letters(wanted)

    letters, counts = run(read())
    if output is OutputStyle.NDJSON:
        for letter in letters:
            print_json(as_dict(letter), output)
        return
    if output is OutputStyle.JSON:
        print_json({"dead_letters": [as_dict(letter) for letter in letters], "count_by_reason": counts})
        return
    print_table(dead_letters_table(letters))
    error_console().print(f"{sum(counts.values())} in all: {by_reason(counts)}" if counts else "none", markup=False)


def redrive(
    *,
    dead_letter_ids: LetterIds = None,
    tenant: Tenant = "",
    stage: StageOption = None,
    reason: ReasonOption = "",
    before: Before = None,
    everything: All = False,
    yes: Yes = False,
    output: Output = OutputStyle.TABLE,
) -> None:
    """Run dead jobs again: those named, or all that match.

    Asks before it takes many, unless --yes is given.
    """
    wanted = _wanted(tenant, stage, reason, before)
    filters = _chosen(dead_letter_ids or [], wanted, everything=everything)

    async def again(client: AsyncClient, one: DeadLetterFilter) -> Counter[str]:
        answer = await client.queue.redrive(one, everything=everything)
        return Counter(redriven=answer.redriven_count, skipped=answer.skipped_count)

    done, code = run(_deal("Redrive", filters, again, ask=not (dead_letter_ids or yes)))
    if done is not None:
        redriven, skipped = done["redriven"], done["skipped"]
        if output is OutputStyle.TABLE:
            overtaken = f", {skipped} left alone: a newer run has overtaken them" if skipped else ""
            console().print(f"{redriven} redriven{overtaken}", markup=False)
        else:
            print_json({"redriven_count": redriven, "skipped_count": skipped}, output)
    if code:
        raise typer.Exit(code)


def discard(
    *,
    dead_letter_ids: LetterIds = None,
    tenant: Tenant = "",
    stage: StageOption = None,
    reason: ReasonOption = "",
    before: Before = None,
    everything: All = False,
    yes: Yes = False,
    output: Output = OutputStyle.TABLE,
) -> None:
    """Drop dead letters for good: those named, or all that match; their designs stay as they are.

    Asks before it drops many, unless --yes is given.
    """
    wanted = _wanted(tenant, stage, reason, before)
    filters = _chosen(dead_letter_ids or [], wanted, everything=everything)

    async def drop(client: AsyncClient, one: DeadLetterFilter) -> Counter[str]:
        return Counter(discarded=(await client.queue.discard(one, everything=everything)).discarded_count)

    done, code = run(_deal("Discard", filters, drop, ask=not (dead_letter_ids or yes)))
    if done is not None:
        if output is OutputStyle.TABLE:
            console().print(f"{done['discarded']} discarded", markup=False)
        else:
            print_json({"discarded_count": done["discarded"]}, output)
    if code:
        raise typer.Exit(code)


async def _deal(
    act: str, filters: list[DeadLetterFilter], deal: Deal, *, ask: bool
) -> tuple[Counter[str] | None, ExitCode]:
    """Deals with each filter's dead letters; of one that is refused the others hear nothing but the exit code.

    Returns:
        How many were dealt with, None where nobody said so, and the exit code.
    """
    done: Counter[str] | None = None
    code = ExitCode.OK
    async with AsyncClient() as client:
        if ask:
            _confirm(act, await client.queue.count_dead_letters(filters[0]))
        for one in filters:
            try:
                dealt = await deal(client, one)
            except ClientError as error:
                complain(" ".join(filter(None, (one.dead_letter_id, explain(error)))))
                code = max(code, exit_code(error))
            else:
                done = (done or Counter()) + dealt
    return done, code


def _wanted(tenant: str, stage: Stage | None, reason: str, before: datetime | None) -> DeadLetterFilter:
    moment = before.replace(tzinfo=UTC) if before is not None else None
    return dead_letter_filter(tenant=tenant, stage=stage or "", reason=reason, create_time_before=moment)


def _chosen(ids: list[str], wanted: DeadLetterFilter, *, everything: bool) -> list[DeadLetterFilter]:
    """What to deal with: each one named, or whatever matches; the three ways of saying so do not mix."""
    narrowed = wanted != DeadLetterFilter()
    if [bool(ids), narrowed, everything].count(True) != 1:
        message = "name dead letters, or give conditions, or say --all"
        raise typer.BadParameter(message, param_hint="DEAD_LETTER / --tenant, --stage, --reason, --before / --all")
    return [dead_letter_filter(dead_letter_id=one) for one in ids] if ids else [wanted]


def _confirm(act: str, counts: Mapping[str, int]) -> None:
    number = sum(counts.values())
    if number == 0:
        return
    what = f"{act} {number} dead letter{'s' if number > 1 else ''} ({by_reason(counts)})?"
    if not sys.stdin.isatty():
        fail(f"{what} Say --yes to do so without being asked.", ExitCode.BAD_INPUT)
    try:
        agreed = typer.confirm(what, err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        fail("nothing was done", ExitCode.BAD_INPUT)

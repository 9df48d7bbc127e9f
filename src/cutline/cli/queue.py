"""`cutline queue ...`: the counts, the jobs and the pauses. Needs a key with the scope `admin`."""

from __future__ import annotations

import re
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from google.protobuf.json_format import MessageToDict
from rich.live import Live

from cutline.cli import queue_letters
from cutline.cli.designs import first
from cutline.cli.failures import run
from cutline.cli.options import LaneName, Output, with_no_color
from cutline.cli.printing import OutputStyle, as_dict, can_draw, console, print_json, print_table
from cutline.cli.queue_printing import attempts_table, job_facts, jobs_table, stats_table
from cutline.client import AsyncClient
from cutline.domain.states import JobState, Stage
from cutline.v1 import job_pb2, queue_service_pb2

MOST_AT_ONCE: Final = 500
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

StageArgument = Annotated[Stage, typer.Argument(metavar="STAGE", help="imaging or mockup.", show_default=False)]
LaneOption = Annotated[LaneName | None, typer.Option(help="Only this lane; default all of the stage.")]

app = typer.Typer(help="Look at the queues of all tenants and act on them (scope admin).", no_args_is_help=True)


@app.command()
@with_no_color
def stats(
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=1, max=60, help="Seconds between two readings of a watch.")] = 1.0,
    output: Output = OutputStyle.TABLE,
) -> None:
    """Count what waits, runs and died, by stage and lane.

    A watch in JSON, of either kind, is one line a reading.
    """
    if watch:
        run(_watch(interval, output))
        return

    async def read() -> queue_service_pb2.Stats:
        async with AsyncClient() as client:
            return await client.queue.stats()

    _print_stats(run(read()), output)


async def _watch(interval_s: float, output: OutputStyle) -> None:
    shown = console()
    async with AsyncClient() as client, aclosing(client.queue.watch_stats(interval_s=interval_s)) as readings:
        if output is OutputStyle.TABLE and can_draw(shown):
            with Live(console=shown, auto_refresh=False) as live:
                async for counts in readings:
                    live.update(stats_table(counts), refresh=True)
            return
        async for counts in readings:
            _print_stats(counts, OutputStyle.TABLE if output is OutputStyle.TABLE else OutputStyle.NDJSON)


def _print_stats(counts: queue_service_pb2.Stats, output: OutputStyle) -> None:
    if output is OutputStyle.TABLE:
        print_table(stats_table(counts))
    else:
        facts = MessageToDict(counts, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        print_json(facts, output)


@app.command()
@with_no_color
def jobs(
    *,
    tenant: Annotated[str, typer.Option(help="Only this tenant's.")] = "",
    design: Annotated[str, typer.Option(help="Only this design's.")] = "",
    stage: Annotated[Stage | None, typer.Option(help="Only this stage's.")] = None,
    lane: Annotated[LaneName | None, typer.Option(help="Only this lane's.")] = None,
    state: Annotated[list[JobState] | None, typer.Option(case_sensitive=False, help="Only these states.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs to show.")] = 50,
    output: Output = OutputStyle.TABLE,
) -> None:
    """List jobs, newest first."""
    found: list[job_pb2.Job] = []

    async def read() -> None:
        async with AsyncClient() as client:
            listed = client.queue.jobs(
                tenant=tenant,
                design_id=design,
                stage=stage or "",
                lane=lane or "",
                states=[one.value for one in state or []],
                page_size=min(limit, MOST_AT_ONCE),
            )
            async with aclosing(listed):
                async for job in first(listed, limit):
                    if output is OutputStyle.NDJSON:
                        print_json(as_dict(job), output)
                    else:
                        found.append(job)

    run(read())
    if output is OutputStyle.JSON:
        print_json([as_dict(job) for job in found])
    elif output is OutputStyle.TABLE:
        print_table(jobs_table(found))


@app.command()
@with_no_color
def job(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.", show_default=False)],
    output: Output = OutputStyle.TABLE,
) -> None:
    """Show a job with its attempts."""

    async def read() -> job_pb2.Job:
        async with AsyncClient() as client:
            return await client.queue.job(job_id)

    found = run(read())
    if output is not OutputStyle.TABLE:
        print_json(as_dict(found), output)
        return
    console().print(job_facts(found))
    if found.attempts:
        print_table(attempts_table(found.attempts))


app.command()(with_no_color(queue_letters.dead))
app.command()(with_no_color(queue_letters.redrive))
app.command()(with_no_color(queue_letters.discard))


@app.command()
@with_no_color
def pause(
    stage: StageArgument,
    lane: LaneOption = None,
    span: Annotated[str, typer.Option("--for", help="How long, such as 30s, 15m, 2h or 1d.")] = "",
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S"], help="Until when (UTC).", show_default=False),
    ] = None,
    output: Output = OutputStyle.TABLE,
) -> None:
    """Stop handing out a stage's work until a time; what is running goes on."""
    if bool(span) == (until is not None):
        raise typer.BadParameter("say either how long or until when", param_hint="--for / --until")  # noqa: EM101, TRY003
    moment = until.replace(tzinfo=UTC) if until is not None else datetime.now(UTC) + _span(span)

    async def hold() -> datetime:
        async with AsyncClient() as client:
            return await client.queue.pause(stage, until=moment, lane=lane or "")

    ends = run(hold())
    if output is OutputStyle.TABLE:
        console().print(f"{stage} {lane or 'all lanes'}  paused until {ends:%Y-%m-%d %H:%M:%S} UTC", markup=False)
    else:
        print_json({"stage": stage, "lane": lane, "pause_until_time": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}, output)


@app.command()
@with_no_color
def resume(stage: StageArgument, lane: LaneOption = None, output: Output = OutputStyle.TABLE) -> None:
    """End a pause."""

    async def go_on() -> None:
        async with AsyncClient() as client:
            await client.queue.resume(stage, lane=lane or "")

    run(go_on())
    if output is OutputStyle.TABLE:
        console().print(f"{stage} {lane or 'all lanes'}  resumed", markup=False)
    else:
        print_json({"stage": stage, "lane": lane}, output)


def _span(text: str) -> timedelta:
    match = _SPAN.fullmatch(text)
    if match is None:
        message = f"{text!r} is not a span such as 30s, 15m, 2h or 1d"
        raise typer.BadParameter(message, param_hint="--for")
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        message = f"{text!r} is longer than 30 days"
        raise typer.BadParameter(message, param_hint="--for") from None

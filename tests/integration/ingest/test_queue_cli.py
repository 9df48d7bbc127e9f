"""`cutline queue ...` against a real ingest."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass

import pytest

from cutline.client import AsyncClient, ClientSettings, PermissionDeniedError, PreconditionError, dead_letter_filter
from cutline.domain.states import Lane, Stage
from tests.integration.ingest.queue_site import Site
from tests.integration.ingest.service import store_key


@dataclass(frozen=True)
class Shown:
    """What a command left."""

    code: int
    out: str
    err: str


def environment(site: Site) -> dict[str, str]:
    """The shell of an operator."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CUTLINE_")}
    return env | {"CUTLINE_TARGET": site.target, "CUTLINE_API_KEY": site.key}


async def queue(site: Site, *arguments: str) -> Shown:
    """Runs `cutline queue` in a process of its own, without a terminal."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cutline.cli", "queue", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(site),
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return Shown(process.returncode or 0, out.decode(), err.decode())


async def test_counts_and_pauses_are_shown(site: Site) -> None:
    """A table for people and JSON for programs tell the same, and a pause shows until it is ended."""
    await site.dead(lane=Lane.BULK)
    paused = await queue(site, "pause", "mockup", "--lane", "express", "--for", "2h")
    assert (paused.code, "mockup express  paused until" in paused.out) == (0, True)

    table = await queue(site, "stats")
    told = json.loads((await queue(site, "stats", "--output", "json")).out)

    lines = {tuple(line.split()[:2]): line.split() for line in table.out.splitlines()[1:]}
    assert len(lines) == len(told["queues"]) == 6
    assert lines["imaging", "bulk"][2:7] == ["0", "0", "0", "0", "1"]
    bulk = next(one for one in told["queues"] if (one["stage"], one["lane"]) == ("STAGE_IMAGING", "LANE_BULK"))
    assert (bulk["dead_count"], bulk["pending_count"]) == ("1", "0")
    assert lines["mockup", "express"][-1] != "-"
    assert (await queue(site, "resume", "mockup")).code == 0
    assert "pause_until_time" not in (await queue(site, "stats", "--output", "json")).out


async def test_a_watch_prints_a_line_for_each_reading(site: Site) -> None:
    """In JSON every reading is one line, as programs read streams."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cutline.cli", "queue", "stats", "--watch", "--output", "json"),
        stdout=asyncio.subprocess.PIPE,
        env=environment(site) | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        times = [json.loads(await process.stdout.readline())["time"] for _ in range(2)]
    with suppress(ProcessLookupError):
        process.terminate()
    await process.communicate()
    assert times == sorted(set(times))


async def test_jobs_are_listed_and_shown(site: Site) -> None:
    """Conditions narrow the list, and one job is told with its attempts."""
    made, other = await site.dead(stage=Stage.MOCKUP), await site.queued(lane=Lane.EXPRESS)
    await site.database.execute(
        "INSERT INTO attempts (job_id, number, worker, finish_time, outcome, reason, message)"
        " VALUES ($1, 1, 'worker-7', now(), 'FAILED', 'INTERNAL', 'It broke.')",
        made.job_id,
    )

    listed = await queue(site, "jobs", "--state", "dead", "--stage", "mockup", "--tenant", site.tenant)
    told = json.loads((await queue(site, "jobs", "--lane", "express", "--output", "json")).out)
    shown = await queue(site, "job", str(made.job_id))

    assert (str(made.job_id) in listed.out, str(other.job_id) in listed.out) == (True, False)
    assert [(job["id"], job["state"]) for job in told] == [(str(other.job_id), "STATE_QUEUED")]
    assert all(part in shown.out for part in ("worker-7", "FAILED", "INTERNAL", "It broke.", "DEAD"))
    missing = await queue(site, "job", str(made.design_id))
    assert (missing.code, "JOB_NOT_FOUND" in missing.err) == (2, True)


async def test_dead_letters_are_listed_redriven_and_discarded(site: Site) -> None:
    """One by its id, many by a condition; what was refused is told by its id, and the rest is done."""
    first, second = await site.dead(reason="INTERNAL"), await site.dead(reason="WORKER_CRASHED")
    await site.dead(reason="WORKER_CRASHED", tenant="other")

    listed = await queue(site, "dead", "--reason", "INTERNAL")
    assert (first.dead_letter_id in listed.out, second.dead_letter_id in listed.out) == (True, False)
    assert "1 in all: 1 INTERNAL" in listed.err
    told = json.loads((await queue(site, "dead", "--output", "json")).out)
    assert told["count_by_reason"] == {"INTERNAL": 1, "WORKER_CRASHED": 2}

    one = await queue(site, "redrive", first.dead_letter_id)
    assert (one.code, one.out) == (0, "1 redriven\n")
    again = await queue(site, "redrive", first.dead_letter_id, second.dead_letter_id)
    assert (again.code, again.out) == (2, "1 redriven\n")
    assert (first.dead_letter_id in again.err, "ALREADY_RUNNING" in again.err) == (True, True)
    many = await queue(site, "discard", "--reason", "WORKER_CRASHED", "--yes", "--output", "json")
    assert (many.code, json.loads(many.out)) == (0, {"discarded_count": 1})


async def test_many_are_dealt_with_only_when_that_is_confirmed(site: Site) -> None:
    """Without a terminal to ask at, what would be done is told and nothing is; nothing named is wrong usage."""
    made = await site.dead()

    for act in ("redrive", "discard"):
        asked = await queue(site, act, "--all")
        assert (asked.code, "1 dead letter (1 NO_SUBJECT)? Say --yes" in asked.err) == (2, True)
        assert (await queue(site, act)).code == 2
        assert (await queue(site, act, "--all", made.dead_letter_id)).code == 2
        assert (await queue(site, act, "--all", "--tenant", "t")).code == 2
    assert [letter.id for letter in await site.letters()] == [made.dead_letter_id]
    assert (await queue(site, "redrive", "--all", "--yes")).out == "1 redriven\n"


async def test_the_sdk_serves_operators(site: Site, postgres_dsn: str) -> None:
    """The typed client lists, pages, counts and acts; a key without the scope is refused as such."""
    made = [await site.dead(reason="INTERNAL") for _ in range(3)]
    settings = ClientSettings(site.target, site.target, site.key)
    async with AsyncClient(settings) as client:
        wanted = dead_letter_filter(reason="INTERNAL", stage="imaging")
        found = [letter.id async for letter in client.queue.dead_letters(wanted, page_size=2)]
        assert found == [one.dead_letter_id for one in made[::-1]]
        assert await client.queue.count_dead_letters() == {"INTERNAL": 3}
        jobs = [job.id async for job in client.queue.jobs(states=["DEAD"], page_size=1)]
        assert jobs == [str(one.job_id) for one in made[::-1]]
        one = dead_letter_filter(dead_letter_id=found[0])
        assert (await client.queue.redrive(one)).redriven_count == 1
        with pytest.raises(PreconditionError) as refused:
            await client.queue.redrive(one)
        assert refused.value.reason == "ALREADY_RUNNING"
        assert (await client.queue.discard(everything=True)).discarded_count == 2
        assert len((await client.queue.stats()).queues) == 6
    reader = ClientSettings(site.target, site.target, await store_key(postgres_dsn, site.tenant))
    async with AsyncClient(reader) as client:
        with pytest.raises(PermissionDeniedError):
            await client.queue.stats()

"""Readiness tells the truth and names what is missing; the HTTP endpoint repeats it."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from cutline.runtime import readiness as module
from cutline.runtime.environment import ListenAddress
from cutline.runtime.http import HttpServer
from cutline.runtime.readiness import Readiness, Verdict


async def _fine() -> str | None:
    return None


async def _away() -> str | None:
    return "does not answer"


async def _broken() -> str | None:
    msg = "secret detail"
    raise ValueError(msg)


async def test_not_ready_before_the_start_and_after_the_end() -> None:
    """Whatever the checks say, a process that starts or stops is not ready."""
    readiness = Readiness()
    readiness.add_check("database", _fine)

    assert (await readiness.verdict()).missing == {"service": "starting"}
    readiness.begin()
    assert (await readiness.verdict()).ready
    readiness.end()
    assert (await readiness.verdict()).missing == {"service": "stopping"}
    readiness.begin()
    assert not (await readiness.verdict()).ready


async def test_a_process_that_starts_says_what_it_waits_for() -> None:
    """Before everything has started the checks are asked all the same, and each problem is named."""
    readiness = Readiness()
    readiness.add_check("database", _away)
    readiness.add_check("bus", _away, required=False)

    verdict = await readiness.verdict()

    assert verdict == Verdict({"database": "does not answer", "service": "starting"}, {"bus": "does not answer"})


async def test_problems_are_named_and_degraded_is_still_ready() -> None:
    """A failing check is named with its problem; one that is not required does not take readiness away."""
    readiness = Readiness()
    readiness.begin()
    readiness.add_check("bus", _away, required=False)

    assert await readiness.verdict() == Verdict(missing={}, degraded={"bus": "does not answer"})
    readiness.add_check("database", _broken)
    assert (await readiness.verdict()).missing == {"database": "the check failed with ValueError"}


async def test_a_check_that_hangs_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer in time counts as not ready, and a check that still hangs is not asked a second time."""
    monkeypatch.setattr(module, "CHECK_TIMEOUT_S", 0.01)
    back = asyncio.Event()
    asked: list[str] = []

    async def hangs() -> str | None:
        asked.append("database")
        await back.wait()
        return None

    readiness = Readiness()
    readiness.begin()
    readiness.add_check("database", hangs)

    for _ in range(2):
        assert (await readiness.verdict()).missing == {"database": "no answer within 0.01 s"}
    assert asked == ["database"]
    back.set()
    assert (await readiness.verdict()).ready


async def test_a_flip_during_the_checks_counts() -> None:
    """A stop that comes while checks run makes that very verdict not ready."""
    readiness = Readiness()
    readiness.begin()

    async def stops() -> str | None:
        readiness.end()
        return None

    readiness.add_check("database", stops)

    assert (await readiness.verdict()).missing == {"service": "stopping"}


async def test_listeners_hear_each_flip() -> None:
    """Begin and end are told at once."""
    heard: list[str] = []
    readiness = Readiness()
    readiness.on_flip(lambda: heard.append("flip"))
    readiness.begin()
    readiness.end()

    assert heard == ["flip", "flip"]


async def test_http_endpoint() -> None:
    """/livez is 200 from the start, /readyz 503 with names until ready, /metrics the exposition."""
    readiness = Readiness()
    readiness.add_check("database", _away)
    server = HttpServer(ListenAddress("127.0.0.1", 0), readiness=readiness, exposition=lambda: b"a_total 1\n")
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
            assert (await client.get("/livez")).status_code == httpx.codes.OK
            readiness.begin()
            refused = await client.get("/readyz")
            assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert refused.json() == {"ready": False, "missing": {"database": "does not answer"}, "degraded": {}}
            readiness.add_check("database", _fine)
            assert (await client.get("/readyz")).status_code == httpx.codes.OK
            metrics = await client.get("/metrics")
            assert metrics.content == b"a_total 1\n"
            assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    finally:
        await server.stop()
        await server.stop()

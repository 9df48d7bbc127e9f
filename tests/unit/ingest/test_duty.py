"""What a loop says of passes that fail."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from cutline.store.pool import store_unavailable
from services.ingest import duty
from services.ingest.duty import Duty


async def _away() -> None:
    raise store_unavailable()


async def _broken() -> None:
    msg = "a row that nobody thought of"
    raise ValueError(msg)


async def _fine() -> int:
    return 7


async def test_a_failure_that_lasts_is_told_when_it_begins_and_when_it_is_over() -> None:
    """A hundred failed passes are one line, and the first that succeeds is another."""
    relay = Duty("relay")

    with capture_logs() as lines:
        for _ in range(100):
            await relay.attempt(_away)
        assert await relay.attempt(_fine) == 7
        assert await relay.attempt(_fine) == 7

    assert [line["event"] for line in lines] == ["duty.waits", "duty.goes_on"]


async def test_another_failure_is_told_at_once() -> None:
    """What fails otherwise is news, with its traceback."""
    relay = Duty("relay")

    with capture_logs() as lines:
        for failing in (_away, _broken, _broken, _away):
            await relay.attempt(failing)

    assert [line["event"] for line in lines] == ["duty.waits", "duty.failed", "duty.waits"]
    assert lines[1]["exc_info"]


async def test_a_failure_is_told_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at the newest lines finds it there."""
    monkeypatch.setattr(duty, "REMIND_S", 0.0)
    relay = Duty("relay")

    with capture_logs() as lines:
        for _ in range(3):
            await relay.attempt(_away)

    assert [line["reason"] for line in lines] == [store_unavailable().reason] * 3

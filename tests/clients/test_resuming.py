"""What the clients in other languages ask for when a watch ends, read at a fake server."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cutline.testing import FakeServer, Held
from tests.clients.conftest import TOOLCHAINS
from tests.clients.running import PATIENCE_S, running
from tests.support.polling import eventually, until


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize(
    "end",
    [
        FakeServer.drop_streams,
        partial(FakeServer.drop_streams, error=True),
        FakeServer.restart,
        partial(FakeServer.restart, abruptly=True),
    ],
    ids=["reconnect", "unavailable", "restart", "crash"],
)
async def test_a_watch_asks_for_what_it_has_not_seen(
    toolchain: str, end: Callable[[FakeServer], None], tmp_path: Path
) -> None:
    """The next request names the last revision told, whatever ended the stream, and the design is told to its end."""
    with FakeServer(outcome=Held()) as server:
        async with running(toolchain, server.environment, tmp_path, width_mm=60) as run:
            await until(run.is_watching, within_s=PATIENCE_S)
            server.advance(run.design_id, progress=0.5)
            assert await eventually(lambda: run.printed[-1].endswith("PROCESSING 50 %"), within_s=PATIENCE_S)
            seen = run.revisions[-1]
            end(server)
            assert await eventually(lambda: len(server.requests_of("WatchDesign")) > 1, within_s=PATIENCE_S)
            server.finish(run.design_id)
            assert await run.ended() == 0, run.complained

        asked = [request.after_revision for request in server.requests_of("WatchDesign")]
        assert asked[0] == 0
        assert set(asked[1:]) == {seen}
        assert run.revisions == sorted({*run.revisions, server.designs[0].revision})
        (submitted,) = server.requests_of("SubmitDesign")
        assert len(submitted.request_id) == 36

"""Streams that grow old: they end in good order, and nothing falls between one and the next."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from cutline.runtime.environment import SettingsError
from cutline.v1 import design_pb2
from services.status.lifetime import Lifetime
from services.status.settings import StatusSettings
from tests.integration.status.conftest import Stand, StandSettings
from tests.integration.status.streams import next_of

READY = design_pb2.Design.STATE_READY
REQUIRED = {
    "CUTLINE_NATS_URL": "nats://127.0.0.1:4222",
    "CUTLINE_POSTGRES_DSN": "postgresql:///postgres",
    "CUTLINE_S3_ENDPOINT": "http://127.0.0.1:8333",
    "CUTLINE_S3_ACCESS_KEY": "key",
    "CUTLINE_S3_SECRET_KEY": "secret",
}


@pytest.fixture
def stand_settings() -> StandSettings:
    """Streams grow old within a moment."""
    return StandSettings(max_age_s=0.2)


async def events(watch: Any) -> list[Any]:
    """Everything that a stream tells, which must end OK."""
    told = []
    while (message := await next_of(watch)) is not grpc.aio.EOF:
        told.append(message)
    assert await watch.code() == grpc.StatusCode.OK
    return told


async def test_an_old_watch_asks_to_come_back_with_its_last_revision(stand: Stand, tenant: str) -> None:
    """The last message before OK names the revision told last, and none told it is that of the request."""
    design_id = await stand.add_design(tenant)
    await stand.start_imaging(design_id)
    first, last = await events(stand.watch(tenant, design_id))
    assert (first.design.revision, last.reconnect.after_revision) == (2, 2)
    (last,) = await events(stand.watch(tenant, design_id, after_revision=2))
    assert last.reconnect.after_revision == 2


async def test_an_old_watch_of_all_designs_asks_to_come_back_with_its_token(stand: Stand, tenant: str) -> None:
    """The last message before OK carries the token, behind which the next stream tells what changed since."""
    design_id = await stand.add_design(tenant)
    told = await events(stand.watch_all(tenant))
    assert [message.WhichOneof("event") for message in told] == ["design", "heartbeat", "reconnect"]
    await stand.start_imaging(design_id)
    resumed = await events(stand.watch_all(tenant, resume_token=told[-1].resume_token))
    assert [message.design.revision for message in resumed if message.HasField("design")] == [2]


async def test_a_caller_who_comes_back_misses_nothing(stand: Stand, tenant: str) -> None:
    """Over many lives of a stream the revisions only grow, none comes twice, and the terminal one arrives."""
    design_id = await stand.add_design(tenant)
    changes = asyncio.create_task(change_for_a_while(stand, tenant, design_id))
    told: list[design_pb2.Design] = []
    after, lives = 0, 0
    while not told or told[-1].state != READY:
        lives += 1
        for message in await events(stand.watch(tenant, design_id, after_revision=after)):
            if message.HasField("design"):
                told.append(message.design)
            elif message.HasField("reconnect"):
                after = message.reconnect.after_revision
    assert lives > 2
    revisions = [design.revision for design in told]
    assert revisions == sorted(set(revisions))
    assert revisions[-1] == await changes


async def change_for_a_while(stand: Stand, tenant: str, design_id: Any) -> int:
    """Takes a design through progress to READY while streams come and go; its last revision."""
    for step in range(8):
        await next_of_a_life(stand, tenant)
        await stand.ring(tenant, design_id, await stand.start_imaging(design_id, progress=step / 10))
    revision = await stand.finish(design_id)
    await stand.ring(tenant, design_id, revision, "READY")
    return revision


async def next_of_a_life(stand: Stand, tenant: str) -> None:
    """Waits for as long as another stream of the same age lives."""
    await events(stand.watch_all(tenant))


async def test_lives_differ_and_stay_within_the_greatest_age() -> None:
    """A stream ends between four fifths and all of the greatest age, and not all at once."""
    lives = [Lifetime(100.0).left_s for _ in range(200)]
    assert all(79.0 < life <= 100.0 for life in lives)
    assert max(lives) - min(lives) > 5.0
    assert Lifetime(0.0).over


def test_the_age_of_streams_is_bound_by_what_connections_are_granted() -> None:
    """By default a stream never outlives its connection's grace; a setting that would is refused by name."""
    assert StatusSettings.from_env(REQUIRED).watch.max_age_s == 600.0
    short = REQUIRED | {"CUTLINE_GRPC_MAX_CONNECTION_AGE_GRACE": "2m"}
    assert StatusSettings.from_env(short).watch.max_age_s == 120.0
    with pytest.raises(SettingsError, match="CUTLINE_WATCH_MAX_AGE: 180 s is above 120 s"):
        StatusSettings.from_env(short | {"CUTLINE_WATCH_MAX_AGE": "3m"})

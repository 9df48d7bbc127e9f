"""The examples of the clients in other languages, against real services that die, restart and grow old."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import grpc.aio
import pytest

from cutline.domain.outputs import FILE_NAMES
from cutline.domain.scenes import SCENE_IDS
from cutline.embedded.stack import EmbeddedStack
from cutline.v1 import design_pb2, queue_service_pb2_grpc, status_service_pb2_grpc
from cutline.v1 import queue_service_pb2 as queue_pb
from cutline.v1 import status_service_pb2 as status_pb
from tests.clients.conftest import TOOLCHAINS, built_toolchains
from tests.clients.running import PATIENCE_S, Run, running
from tests.support.polling import until

NAMES: Final = {*FILE_NAMES.values(), *(f"mockup-{scene}.jpg" for scene in SCENE_IDS)}

pytestmark = pytest.mark.timeout(300)  # starts the whole of Cutline, on a machine that may have other work


@asynccontextmanager
async def all_watching(stack: EmbeddedStack, folder: Path) -> AsyncIterator[list[Run]]:
    """Every built example, each watching a design of its own whose work is held back; leaving lets the work begin."""
    async with AsyncExitStack() as examples:
        async with imaging_paused(stack):
            runs = [
                await examples.enter_async_context(
                    running(toolchain, stack.client_environment(), folder / toolchain, width_mm=50 + number)
                )
                for number, toolchain in enumerate(built_toolchains())
            ]
            for run in runs:
                await until(run.is_watching, within_s=PATIENCE_S)
            yield runs
        for run in runs:
            assert await run.ended() == 0, (run.toolchain, run.complained)


@asynccontextmanager
async def imaging_paused(stack: EmbeddedStack) -> AsyncIterator[None]:
    """Hands out no imaging work meanwhile."""
    async with grpc.aio.insecure_channel(stack.ingest_target) as channel:
        queue: queue_service_pb2_grpc.QueueServiceAsyncStub = queue_service_pb2_grpc.QueueServiceStub(channel)
        pause = queue_pb.PauseQueueRequest(stage=design_pb2.STAGE_IMAGING)
        pause.pause_until_time.FromDatetime(datetime.now(UTC) + timedelta(minutes=10))
        await queue.PauseQueue(pause, metadata=key(stack))
        try:
            yield
        finally:
            await queue.ResumeQueue(queue_pb.ResumeQueueRequest(stage=design_pb2.STAGE_IMAGING), metadata=key(stack))


def key(stack: EmbeddedStack) -> tuple[tuple[str, str]]:
    """The credential of a call."""
    return (("authorization", f"Bearer {stack.api_key}"),)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
async def test_stickers_are_made_while_the_status_service_dies_and_comes_back(
    stack: EmbeddedStack, tmp_path: Path, end: signal.Signals
) -> None:
    """Each watch goes on at the next process, tells no revision twice, and every file has the bytes promised."""
    async with all_watching(stack, tmp_path) as runs:
        first = stack.services["status"].program_id
        os.kill(first, end)
        await until(lambda: has_ended(first), within_s=PATIENCE_S)

    async with grpc.aio.insecure_channel(stack.status_target) as channel:
        status: status_service_pb2_grpc.StatusServiceAsyncStub = status_service_pb2_grpc.StatusServiceStub(channel)
        for run in runs:
            request = status_pb.GetDesignRequest(design_id=run.design_id)
            design = await status.GetDesign(request, metadata=key(stack), wait_for_ready=True)
            promised = {file.sha256 for file in design.artifacts} | {file.sha256 for file in design.mockups}
            files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in run.folder.iterdir()}
            assert run.resumptions, run.toolchain
            assert run.revisions == sorted({*run.revisions, design.revision}), run.toolchain
            assert run.printed[len(run.revisions)].endswith("READY 100 %"), run.toolchain
            assert (set(files), set(files.values())) == (NAMES, promised), run.toolchain


async def has_ended(process_id: int) -> bool:
    """Whether a process is gone."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_watch_outlives_the_connections_it_runs_on(stack: EmbeddedStack, tmp_path: Path) -> None:
    """A server that ends its streams now and then is asked again, and tells nothing twice."""
    async with all_watching(stack, tmp_path) as runs:
        for run in runs:
            await until(run.is_at_its_third_stream, within_s=PATIENCE_S)
            assert len(run.revisions) == 1, run.toolchain

    for run in runs:
        assert run.revisions == sorted(set(run.revisions)), run.toolchain


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
async def test_a_refusal_is_told_by_reason_and_field(toolchain: str, stack: EmbeddedStack, tmp_path: Path) -> None:
    """The errors of the service arrive whole: reason, message and the fields at fault."""
    async with running(toolchain, stack.client_environment(), tmp_path, width_mm=3) as run:
        assert await run.ended() == 1

    assert run.complained == [
        "INVALID_ARGUMENT: spec.width_mm: 3 is not 5 to 1000 mm",
        "  spec.width_mm: 3 is not 5 to 1000 mm",
    ]
    assert run.printed == []

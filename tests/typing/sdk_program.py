"""A program that uses the whole SDK, for type checkers alone: they say what its callers would see."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import assert_type

from cutline.client import (
    ApiError,
    AsyncClient,
    AsyncDesign,
    Client,
    ClientSettings,
    Design,
    FieldViolation,
    StickerSpec,
    dead_letter_filter,
    job_options,
    make_spec,
)
from cutline.domain.outputs import OutputFormat
from cutline.v1 import design_pb2, job_pb2, queue_service_pb2, status_service_pb2


def with_threads(folder: Path) -> None:
    """Every method of the client for threads."""
    with Client(target="dns:///cutline.example:443", token=lambda: "a.jwt.token", timeout_s=10) as client:
        design = client.designs.submit("fox.png", width_mm=60, cut_type="KISS_CUT", on_upload=print)
        assert_type(design, Design)
        with Path("fox.png").open("rb") as file:
            client.designs.submit(
                file,
                StickerSpec(width_mm=60.0),
                title="Fox",
                labels={"order": "7"},
                job=job_options(lane="EXPRESS", max_attempts=3, not_before_time=datetime.now(UTC)),
            )
        client.designs.submit(b"bytes", make_spec(width_mm=60), request_id="")
        assert_type(design.id, str)
        assert_type(design.state, str)
        assert_type(design.message, design_pb2.Design)
        assert_type(design.wait(timeout_s=60, on_progress=lambda revision: revision.progress), design_pb2.Design)
        assert_type(design.result().artifacts[0].url, str)
        assert_type(design.download(folder), Sequence[Path])
        assert_type(design.watch(), Generator[design_pb2.Design, None, None])
        assert_type(design.reprocess(output_formats=[OutputFormat.PRINT_PDF, "CUT_LINE_SVG"]), design_pb2.Design)
        assert_type(design.refresh(timeline=True).timeline[0].event, str)
        assert_type(design.cancel(), design_pb2.Design)
        design.delete()
        assert_type(client.designs.get("d"), Design)
        for message in client.designs.list(states=["READY"], create_time_from=datetime.now(UTC)):
            assert_type(message, design_pb2.Design)
        for change in client.designs.watch_all(resume_token=""):
            assert_type(change, status_service_pb2.WatchDesignsResponse)
        assert_type(client.queue.stats(), queue_service_pb2.Stats)
        for job in client.queue.jobs(states=["DEAD"]):
            assert_type(job, job_pb2.Job)
        assert_type(client.queue.count_dead_letters(dead_letter_filter(stage="imaging")), Mapping[str, int])


async def with_asyncio(folder: Path) -> None:
    """Every method of the client for asyncio."""
    async with AsyncClient(ClientSettings("ingest:1", "status:1", "ck_key", ca_file=folder / "ca.pem")) as client:
        design = await client.designs.submit(folder / "fox.png", width_mm=60, mockup_scenes=["laptop"])
        assert_type(design, AsyncDesign)
        assert_type(await design.wait(timeout_s=60), design_pb2.Design)
        assert_type(await design.result(), design_pb2.Design)
        assert_type(design.watch(), AsyncGenerator[design_pb2.Design, None])
        assert_type(await design.download(folder), Sequence[Path])
        assert_type(await client.designs.get("d"), AsyncDesign)
        async for message in client.designs.list(labels={"order": "7"}):
            assert_type(message, design_pb2.Design)
        async for change in client.designs.watch_all():
            assert_type(change.deleted.design_id, str)
        assert_type(await client.queue.pause("imaging", until=datetime.now(UTC)), datetime)
        async for stats in client.queue.watch_stats(interval_s=2):
            assert_type(stats, queue_service_pb2.Stats)


def with_errors(error: ApiError) -> None:
    """What an error tells."""
    assert_type(error.violations, tuple[FieldViolation, ...])
    assert_type(error.retry_after_s, float | None)
    assert_type(error.trace_id, str)


async def mistakes(client: Client, other: AsyncClient) -> None:
    """What a type checker must refuse: each line has an ignore that would be reported if nothing were wrong with it."""
    client.designs.submit("fox.png", width=60)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.designs.submit("fox.png", width_mm="60")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.designs.submit("fox.png", cut_type="TORN")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.designs.submit(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await client.designs.get("d")  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    (await other.designs.get("d")).wait(timeout=5)  # type: ignore[call-arg,unused-coroutine]  # pyright: ignore[reportCallIssue]
    job_options(lane="FAST")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

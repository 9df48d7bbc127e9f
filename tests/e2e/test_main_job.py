"""Artwork in, sticker files and mockups out, through every service as a process of its own."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from google.protobuf import json_format
from PIL import Image, ImageDraw

from cutline.client import AsyncClient, DesignFailedError, InvalidArgumentError, PreconditionError
from cutline.domain.outputs import OutputFormat
from cutline.domain.scenes import SCENE_IDS
from cutline.embedded.stack import EmbeddedStack
from cutline.v1 import design_pb2, job_pb2, report_pb2

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "artworks" / "donut.png"
PATIENCE_S = 60.0


def artwork(color: str = "#e63946", side_px: int = 400) -> bytes:
    """A disc on white as PNG, another artwork for another colour."""
    picture = Image.new("RGB", (side_px, side_px), "white")
    ImageDraw.Draw(picture).ellipse((60, 60, side_px - 60, side_px - 60), fill=color)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


async def test_a_client_by_hand_does_all_the_documentation_says(stack: EmbeddedStack, tmp_path: Path) -> None:
    """The program in docs/api.md, grpcio and the stubs alone, uploads, submits, watches to READY and downloads."""
    (program,) = re.findall(
        r"```python\n(import hashlib\n.*?)```", (ROOT / "docs/api.md").read_text("utf-8"), re.DOTALL
    )
    path = tmp_path / "by_hand.py"
    path.write_text(program, "utf-8")

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(path),
        str(SAMPLE),
        env={**os.environ, **stack.client_environment()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    printed = output.decode()

    assert process.returncode == 0, errors.decode()
    assert "STATE_READY" in printed
    assert all(f"OUTPUT_FORMAT_{kind}" in printed for kind in OutputFormat)
    assert all(f"mockup {scene}" in printed for scene in SCENE_IDS)


async def test_a_design_ends_with_every_file_whole(client: AsyncClient, tmp_path: Path) -> None:
    """All artifacts and mockups arrive with the digests promised, and the report is the Report message."""
    design = await client.designs.submit(artwork(), filename="disc.png", width_mm=60)
    ended = await design.wait(timeout_s=PATIENCE_S)
    files = {path.name: path for path in await design.download(tmp_path)}

    assert {artifact.kind for artifact in ended.artifacts} == set(ended.resolved_spec.output_formats)
    assert {mockup.scene for mockup in ended.mockups} == set(SCENE_IDS)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files.values()}
    assert digests == {artifact.sha256 for artifact in ended.artifacts} | {mockup.sha256 for mockup in ended.mockups}
    report = json_format.Parse(files["report.json"].read_text("utf-8"), report_pb2.Report())
    assert report.geometry == ended.geometry
    assert report.print_verdict == ended.print_verdict
    assert ended.geometry.cut_width_mm == pytest.approx(60, abs=0.1)


async def test_a_watcher_sees_revisions_grow_to_the_end(client: AsyncClient) -> None:
    """Revisions only grow, the last is READY, and the timeline names every stage."""
    design = await client.designs.submit(artwork("#457b9d"), width_mm=55)
    revisions = [message.revision async for message in design.watch()]
    full = await design.refresh(timeline=True)

    assert revisions == sorted(set(revisions))
    assert full.state == design_pb2.Design.STATE_READY
    assert full.revision == revisions[-1]
    stages = {entry.stage for entry in full.timeline}
    assert {design_pb2.STAGE_IMAGING, design_pb2.STAGE_MOCKUP} <= stages
    assert all(entry.attempt <= 1 for entry in full.timeline)


async def test_equal_unfinished_work_is_joined_and_finished_work_is_not(client: AsyncClient) -> None:
    """While the first is unfinished the second gets its design; after the end a submit is new work."""
    later = datetime.now(UTC) + timedelta(hours=1)
    held = job_pb2.JobOptions()
    held.not_before_time.FromDatetime(later)
    first = await client.designs.submit(artwork("#2a9d8f"), job=held, width_mm=50)
    second = await client.designs.submit(artwork("#2a9d8f"), job=held, width_mm=50, border_mm=3.0)
    other = await client.designs.submit(artwork("#2a9d8f"), job=held, width_mm=51)

    assert (second.id, second.deduplicated) == (first.id, True)
    assert (other.id != first.id, other.deduplicated) == (True, False)

    await first.cancel()
    await other.cancel()
    done = await client.designs.submit(artwork("#2a9d8f"), width_mm=50)
    await done.wait(timeout_s=PATIENCE_S)
    again = await client.designs.submit(artwork("#2a9d8f"), width_mm=50)

    assert (again.id != done.id, again.deduplicated) == (True, False)
    await again.wait(timeout_s=PATIENCE_S)


async def test_a_reprocess_keeps_the_old_files_until_the_new_are_there(client: AsyncClient) -> None:
    """The next generation makes its own artifacts, and every artifact names its generation."""
    design = await client.designs.submit(artwork("#8338ec"), width_mm=50)
    await design.wait(timeout_s=PATIENCE_S)
    again = await design.reprocess(width_mm=70)

    assert (again.generation, {artifact.generation for artifact in again.artifacts}) == (2, {1})

    ended = await design.wait(timeout_s=PATIENCE_S)
    assert {artifact.generation for artifact in ended.artifacts} == {2}
    assert ended.geometry.cut_width_mm == pytest.approx(70, abs=0.1)


async def test_a_deleted_design_is_gone_with_its_files(client: AsyncClient, web: httpx.AsyncClient) -> None:
    """After a delete neither the design nor its addresses answer."""
    design = await client.designs.submit(artwork("#ff006e"), width_mm=50)
    ended = await design.wait(timeout_s=PATIENCE_S)
    await design.delete()

    answers = [(await web.get(artifact.url)).status_code for artifact in ended.artifacts]
    assert set(answers) == {404}
    assert [message.id async for message in client.designs.list() if message.id == design.id] == []


def transparent(side_px: int = 64) -> bytes:
    """A fully transparent PNG."""
    file = io.BytesIO()
    Image.new("RGBA", (side_px, side_px), (0, 0, 0, 0)).save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of a few hundred kilobytes that says, truly, that it is 20,000 px square."""
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("truncated", artwork()[:300], "ARTWORK_UNREADABLE"),
        ("bomb", bomb(), "ARTWORK_TOO_LARGE"),
        ("text", b"I am no picture at all, only words.", "ARTWORK_TYPE_UNSUPPORTED"),
        ("transparent", transparent(), "NO_SUBJECT"),
    ],
)
async def test_bad_artwork_fails_by_name_and_the_worker_goes_on(
    client: AsyncClient, name: str, data: bytes, reason: str
) -> None:
    """The design ends FAILED with the reason, and the next good one is made."""
    design = await client.designs.submit(data, filename=f"{name}.png", media_type="image/png")
    with pytest.raises(DesignFailedError):
        await design.wait(timeout_s=PATIENCE_S)

    assert design.message.failure.reason == reason
    assert design.message.failure.message
    good = await client.designs.submit(artwork(), width_mm=40, reference=f"after {name}")
    await good.wait(timeout_s=PATIENCE_S)


async def test_a_single_pixel_ends_one_way_or_the_other(client: AsyncClient) -> None:
    """An artwork of 1 x 1 px ends, with a verdict or a reason: it never hangs."""
    file = io.BytesIO()
    Image.new("RGB", (1, 1), "red").save(file, "PNG")
    design = await client.designs.submit(file.getvalue(), filename="dot.png")
    ended = await client.designs.wait(design.id, timeout_s=PATIENCE_S)

    told = ended.failure.reason or report_pb2.PrintVerdict.Name(ended.print_verdict)
    assert told in {"NO_SUBJECT", "SIZE_IMPOSSIBLE", "CUT_LINE_IMPOSSIBLE", "PRINT_VERDICT_FAIL"}


@pytest.mark.parametrize("width_mm", [float("nan"), float("inf"), 4.9, 1000.1])
async def test_a_spec_beyond_its_limits_is_refused_by_name(client: AsyncClient, width_mm: float) -> None:
    """The error names the field, the value and the limit, and no design exists."""
    with pytest.raises(InvalidArgumentError) as caught:
        await client.designs.submit(artwork(), width_mm=width_mm)

    (violation,) = caught.value.violations
    assert violation.field == "spec.width_mm"
    assert "5 to 1000 mm" in violation.description


async def test_a_finished_design_cannot_be_cancelled(client: AsyncClient) -> None:
    """Cancelling what has ended is a failed precondition with its reason."""
    design = await client.designs.submit(artwork("#fb8500"), width_mm=45)
    await design.wait(timeout_s=PATIENCE_S)
    with pytest.raises(PreconditionError) as caught:
        await design.cancel()

    assert caught.value.reason == "DESIGN_TERMINAL"

"""From SubmitDesign to READY at a watcher, beside the same work without any service.

The services' way: SubmitDesign on an upload that is in place, a watch, the clock stops when the READY revision arrives.
The direct way: the same pure functions in this one warm process, with the same gets and puts on the same S3 server:
get the artwork, imaging, put the files; get cutout and report, four mockups, put them. The two run in turn on an idle,
warmed stack, so that both see the same machine. Every default artifact is made and every built-in scene rendered.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

import grpc
import httpx
import resvg_py
from PIL import Image

from cutline.blobs.store import S3BlobStore
from cutline.domain.outputs import OutputFormat
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.embedded.stack import EmbeddedStack
from cutline.imaging.pipeline import process
from cutline.mockups import StickerArt, load_scene, render_mockup, scene_ids, warm
from cutline.runtime.settings import S3Settings
from cutline.telemetry.setup import Telemetry
from cutline.v1 import design_pb2
from cutline.v1 import ingest_service_pb2 as ingest_pb
from cutline.v1 import status_service_pb2 as status_pb
from cutline.v1.ingest_service_pb2_grpc import IngestServiceStub
from cutline.v1.status_service_pb2_grpc import StatusServiceStub

RESULTS = Path(__file__).parent / "results" / "e2e.json"
SIDES_PX = {"4 MP": 2000, "0.25 MP": 500}


@dataclass(frozen=True)
class Figures:
    """Medians in milliseconds over the runs of one size, and what they say."""

    artwork: str
    runs: int
    direct_ms: float
    services_ms: float
    ratio: float
    overhead_ms: float
    services_p90_ms: float


def flat_artwork(side_px: int) -> bytes:
    """A flat drawing on white, PNG, square: curves, corners, small parts, many colours."""
    petals = "".join(
        f'<ellipse cx="800" cy="430" rx="150" ry="260" fill="hsl({turn * 45},75%,60%)" stroke="#222" stroke-width="22"'
        f' transform="rotate({turn * 45} 800 800)"/>'
        for turn in range(8)
    )
    body = f'{petals}<circle cx="800" cy="800" r="240" fill="#ffd24d" stroke="#222" stroke-width="22"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1600 1600">{body}</svg>'
    drawn = Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg, width=side_px, skip_system_fonts=True)))
    canvas = Image.new("RGB", drawn.size, "white")
    canvas.paste(drawn, mask=drawn.getchannel("A"))
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return file.getvalue()


class Direct:
    """The work without any service."""

    def __init__(self, blobs: S3BlobStore, artwork_key: str) -> None:
        self._blobs = blobs
        self._artwork_key = artwork_key
        self._spec = resolve(StickerSpec())

    async def once(self) -> float:
        """Does it all once; seconds."""
        start_s = time.perf_counter()
        prefix = f"direct/{uuid4()}"
        sticker = process(await self._blobs.get(self._artwork_key), self._spec)
        await self._put({f"{prefix}/{file.kind}": (file.data, file.media_type) for file in sticker.files})
        cutout, report = await asyncio.gather(
            self._blobs.get(f"{prefix}/{OutputFormat.CUTOUT_PNG}"),
            self._blobs.get(f"{prefix}/{OutputFormat.REPORT_JSON}"),
        )
        art = StickerArt.from_files(cutout, report)
        mockups = [render_mockup(load_scene(scene), art) for scene in scene_ids()]
        await self._put({f"{prefix}/{one.scene}": (one.data, one.media_type) for one in mockups})
        return time.perf_counter() - start_s

    async def _put(self, files: dict[str, tuple[bytes, str]]) -> None:
        """Digests and puts, all at once, as the services do."""
        await asyncio.gather(
            *(
                self._blobs.put(key, data, media_type=media_type, sha256=hashlib.sha256(data).hexdigest())
                for key, (data, media_type) in files.items()
            )
        )


class Services:
    """The same work, asked for over the API."""

    def __init__(self, stack: EmbeddedStack, upload_id: str) -> None:
        self._metadata = (("authorization", f"Bearer {stack.api_key}"),)
        self._ingest = IngestServiceStub(grpc.aio.insecure_channel(stack.ingest_target))
        self._status = StatusServiceStub(grpc.aio.insecure_channel(stack.status_target))
        self._upload_id = upload_id

    async def once(self) -> float:
        """Submits and watches to READY; seconds.

        Raises:
            RuntimeError: It did not end READY with everything made.
        """
        start_s = time.perf_counter()
        request = ingest_pb.SubmitDesignRequest(upload_id=self._upload_id, reference=uuid4().hex)
        answer = await self._ingest.SubmitDesign(request, metadata=self._metadata)
        watch = self._status.WatchDesign(
            status_pb.WatchDesignRequest(design_id=answer.design.id), metadata=self._metadata
        )
        design = answer.design
        async for message in watch:
            if message.HasField("design"):
                design = message.design
        took_s = time.perf_counter() - start_s
        made = (len(design.artifacts), len(design.mockups))
        if design.state != design_pb2.Design.STATE_READY or made != (len(OutputFormat), len(scene_ids())):
            text = f"design {design.id} ended {design.state} {design.failure.reason} with {made} files and mockups"
            raise RuntimeError(text)
        return took_s


async def _upload(stack: EmbeddedStack, artwork: bytes) -> str:
    ingest = IngestServiceStub(grpc.aio.insecure_channel(stack.ingest_target))
    upload = await ingest.CreateUpload(
        ingest_pb.CreateUploadRequest(
            filename="flat.png",
            media_type="image/png",
            size_bytes=len(artwork),
            sha256=hashlib.sha256(artwork).hexdigest(),
        ),
        metadata=(("authorization", f"Bearer {stack.api_key}"),),
    )
    async with httpx.AsyncClient() as http:
        (await http.put(upload.url, content=artwork, headers=dict(upload.headers))).raise_for_status()
    return upload.id


async def _measure(stack: EmbeddedStack, blobs: S3BlobStore, name: str, side_px: int, runs: int) -> Figures:
    artwork = flat_artwork(side_px)
    key = f"direct/artwork-{side_px}"
    await blobs.put(key, artwork, media_type="image/png")
    direct = Direct(blobs, key)
    services = Services(stack, await _upload(stack, artwork))
    for _ in range(3):
        await direct.once()
        await services.once()
    direct_s, services_s = [], []
    for _ in range(runs):
        direct_s.append(await direct.once())
        services_s.append(await services.once())
    direct_ms, services_ms = (statistics.median(times) * 1000 for times in (direct_s, services_s))
    return Figures(
        artwork=name,
        runs=runs,
        direct_ms=round(direct_ms, 1),
        services_ms=round(services_ms, 1),
        ratio=round(services_ms / direct_ms, 2),
        overhead_ms=round(services_ms - direct_ms, 1),
        services_p90_ms=round(statistics.quantiles(services_s, n=10)[-1] * 1000, 1),
    )


async def _bench(runs: int) -> list[Figures]:
    warm()
    with tempfile.TemporaryDirectory(prefix="cutline-bench-") as folder:
        async with EmbeddedStack(Path(folder), report=print) as stack:
            servers = stack.servers
            blobs = S3BlobStore(
                S3Settings(
                    endpoint=servers.s3_endpoint,
                    public_endpoint=servers.s3_endpoint,
                    access_key=servers.s3_access_key,
                    secret_key=servers.s3_secret_key,
                    bucket=servers.s3_bucket,
                ),
                telemetry=Telemetry.silent(),
            )
            await blobs.start()
            try:
                return [await _measure(stack, blobs, name, side, runs) for name, side in SIDES_PX.items()]
            finally:
                await blobs.stop()


def _print(figures: Sequence[Figures]) -> None:
    print(f"\nmedians of {figures[0].runs}")
    print(f"{'artwork':<9}{'direct':>10}{'services':>10}{'ratio':>8}{'overhead':>10}{'p90':>10}")
    for one in figures:
        print(
            f"{one.artwork:<9}{one.direct_ms:>7.0f} ms{one.services_ms:>7.0f} ms{one.ratio:>8.2f}"
            f"{one.overhead_ms:>7.0f} ms{one.services_p90_ms:>7.0f} ms"
        )


def main() -> None:
    """Measure, print, and keep the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="counted runs of each way and size (%(default)s)")
    choice = parser.parse_args()
    figures = asyncio.run(_bench(choice.runs))
    _print(figures)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(one) for one in figures], indent=2) + "\n")


if __name__ == "__main__":
    main()

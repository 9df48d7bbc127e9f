"""Submits per second and their latency: one ingest process, real servers, everything on this machine.

Measured at concurrency 1 and 16 (closed loop: each caller sends its next submit when the last is answered) and at an
offered 100/s (open loop: latency counts from the time a submit was due). Every submit is its own work with its own
request id, on an upload that was checked before; first submits of fresh uploads are shown beside. Authentication by a
stored key, metrics and tracing run as they are by default. Every job is released at once, so each submit is one
commit and one acked publish. The client sends ready-made bytes, so that it measures the service rather than itself.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from uuid import uuid4

import asyncpg
import grpc
import httpx
import uvloop

from cutline.embedded.stack import EmbeddedStack
from cutline.rpc.api_keys import new_api_key
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1.ingest_service_pb2_grpc import IngestServiceStub

RESULTS = Path(__file__).parent / "results" / "submit.json"
ARTWORK = b"\x89PNG\r\n\x1a\n" + bytes(1000)
OFFERED_PER_S = 100
NO_CAPS = {
    "CUTLINE_TENANT_CAP": "10000000",
    "CUTLINE_GLOBAL_CAP": "10000000",
    "CUTLINE_RELEASE_WINDOW": "10000000",
}
"""Every job is released at once."""


@dataclass(frozen=True)
class Sample:
    """One run: submits per second and latencies in milliseconds."""

    per_s: float
    p50_ms: float
    p99_ms: float


class Load:
    """Sends submits and keeps their latencies."""

    def __init__(self, channel: grpc.aio.Channel, key: str, upload_id: str) -> None:
        self._call: Callable[..., Awaitable[bytes]] = channel.unary_unary("/cutline.v1.IngestService/SubmitDesign")
        self._metadata = (("authorization", f"Bearer {key}"),)
        self._body = _submit(upload_id)
        self._numbers = count()
        self._nonce = uuid4().hex[:8]

    async def one(self) -> None:
        """One submit, another work than any before; a concatenation of messages is their merge."""
        own = pb.SubmitDesignRequest(reference=f"{self._nonce}-{next(self._numbers)}", request_id=str(uuid4()))
        await self._call(self._body + own.SerializeToString(), metadata=self._metadata)

    async def closed(self, concurrency: int, duration_s: float) -> Sample:
        """As many callers as `concurrency`, each as fast as it is answered."""
        latencies_s: list[float] = []
        start_s = time.perf_counter()

        async def caller() -> None:
            while (began_s := time.perf_counter()) - start_s < duration_s:
                await self.one()
                latencies_s.append(time.perf_counter() - began_s)

        await asyncio.gather(*(caller() for _ in range(concurrency)))
        return _sample(latencies_s, time.perf_counter() - start_s)

    async def open(self, per_s: int, duration_s: float) -> Sample:
        """A submit each 1/per_s seconds, whether or not the last is answered."""
        latencies_s: list[float] = []
        start_s = time.perf_counter()

        async def due(at_s: float) -> None:
            await self.one()
            latencies_s.append(time.perf_counter() - at_s)

        async with asyncio.TaskGroup() as group:
            for number in range(int(per_s * duration_s)):
                at_s = start_s + number / per_s
                await asyncio.sleep(at_s - time.perf_counter())
                group.create_task(due(at_s))
        return _sample(latencies_s, time.perf_counter() - start_s)

    async def first_submits(self, upload_ids: Sequence[str], concurrency: int) -> Sample:
        """One submit for each upload, none of them checked before."""
        latencies_s: list[float] = []
        waiting = list(upload_ids)
        start_s = time.perf_counter()

        async def caller() -> None:
            while waiting:
                body = _submit(waiting.pop())
                began_s = time.perf_counter()
                await self._call(body, metadata=self._metadata)
                latencies_s.append(time.perf_counter() - began_s)

        await asyncio.gather(*(caller() for _ in range(concurrency)))
        return _sample(latencies_s, time.perf_counter() - start_s)


def _submit(upload_id: str) -> bytes:
    request = pb.SubmitDesignRequest(upload_id=upload_id, title="bench")
    request.spec.width_mm = 60
    request.labels["source"] = "bench"
    return request.SerializeToString()


def _sample(latencies_s: Sequence[float], took_s: float) -> Sample:
    ordered = sorted(latencies_s)
    return Sample(
        per_s=round(len(ordered) / took_s, 1),
        p50_ms=round(1000 * statistics.median(ordered), 3),
        p99_ms=round(1000 * ordered[int(0.99 * (len(ordered) - 1))], 3),
    )


async def put_uploads(channel: grpc.aio.Channel, key: str, number: int) -> list[str]:
    """Uploads the artwork so many times and returns the ids."""
    stub = IngestServiceStub(channel)
    digest = hashlib.sha256(ARTWORK).hexdigest()
    ids = []
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(number):
            upload: pb.Upload = await stub.CreateUpload(
                pb.CreateUploadRequest(
                    filename="bench.png", media_type="image/png", size_bytes=len(ARTWORK), sha256=digest
                ),
                metadata=(("authorization", f"Bearer {key}"),),
            )
            answer = await client.put(upload.url, content=ARTWORK, headers=dict(upload.headers))
            answer.raise_for_status()
            ids.append(upload.id)
    return ids


async def store_key(dsn: str) -> str:
    """Stores a key of the tenant `bench` and returns its text."""
    made = new_api_key()
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO api_keys (key_id, tenant, sha256, scopes) VALUES ($1, 'bench', $2, $3)",
        made.key_id,
        made.sha256,
        ["designs:read", "designs:write"],
    )
    await connection.close()
    return made.text


async def measure(runs: int, duration_s: float) -> dict[str, list[Sample]]:
    """Every way of measuring, `runs` times."""
    with tempfile.TemporaryDirectory(prefix="cutline-bench-") as folder:
        async with EmbeddedStack(Path(folder), services=("ingest",), settings=NO_CAPS) as stack:
            key = await store_key(stack.servers.postgres_dsn)
            async with grpc.aio.insecure_channel(stack.ingest_target) as channel:
                fresh = 200
                uploads = await put_uploads(channel, key, 1 + fresh * runs)
                load = Load(channel, key, uploads[0])
                await load.closed(16, duration_s / 2)  # warms the plans, the pools and the caches
                samples: dict[str, list[Sample]] = {}
                for run in range(runs):
                    for name, sample in (
                        ("concurrency 1", await load.closed(1, duration_s)),
                        ("concurrency 16", await load.closed(16, duration_s)),
                        (f"offered {OFFERED_PER_S}/s", await load.open(OFFERED_PER_S, duration_s)),
                        ("first submits, 16", await load.first_submits(uploads[1 + run * fresh :][:fresh], 16)),
                    ):
                        samples.setdefault(name, []).append(sample)
                return samples


def main() -> None:
    """Measures, prints medians and writes them to bench/results/submit.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--duration-s", type=float, default=4.0)
    options = parser.parse_args()
    samples = uvloop.run(measure(options.runs, options.duration_s))
    medians = {
        name: Sample(
            *(statistics.median(column) for column in zip(*(asdict(run).values() for run in runs), strict=True))
        )
        for name, runs in samples.items()
    }
    print(f"{'':20}{'submits/s':>10}{'p50 ms':>9}{'p99 ms':>9}    (medians of {options.runs})")
    for name, sample in medians.items():
        print(f"{name:20}{sample.per_s:10.0f}{sample.p50_ms:9.2f}{sample.p99_ms:9.2f}")
    RESULTS.parent.mkdir(exist_ok=True)
    report = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "medians": {name: asdict(sample) for name, sample in medians.items()},
        "runs": {name: [asdict(run) for run in runs] for name, runs in samples.items()},
    }
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

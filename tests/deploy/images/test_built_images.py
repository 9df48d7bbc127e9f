"""Images are truly built, run locked up, and answer their probes.

It takes minutes and needs root and Debian's builders, so it runs by `make images-check` and not with the other tests.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import nats
import pytest

from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.messaging.apply import apply_topology
from cutline.messaging.topology import Topology
from deploy.docker import local_image
from deploy.docker.local_image import BuiltImage, LocalImages
from tests.support.polling import until

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not os.environ.get("BUILD_IMAGES"), reason="building images takes minutes: make images-check"),
]

PIXEL_LIBRARIES: Final = {"PIL", "cv2", "numpy", "onnxruntime", "pikepdf", "rembg", "scipy", "shapely"}


@pytest.fixture(scope="module", params=["status", "ingest", "mockup", "imaging"])
def service(request: pytest.FixtureRequest) -> str:
    """Whose image."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def image(service: str) -> Iterator[BuiltImage]:
    """The image, built on a base of this system's packages."""
    if (why_not := local_image.problem()) is not None:
        pytest.skip(why_not)
    images = LocalImages()
    images.build(service)
    with images.opened(service) as built:
        yield built


def told(image: BuiltImage, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command says that runs locked up in an image."""
    locked = image.locked_up(*command, environment=environment)
    return subprocess.run(locked, capture_output=True, text=True, check=False)


def site_packages(image: BuiltImage) -> Path:
    """Where the image has its libraries."""
    return next((image.root / "opt" / "cutline").glob("lib/python3.*/site-packages"))


@asynccontextmanager
async def running(image: BuiltImage, environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A service of an image, locked up, until the block ends."""
    locked = image.locked_up(*image.command, environment=environment)
    process = await asyncio.create_subprocess_exec(*locked, stdin=DEVNULL, stdout=DEVNULL)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_an_image_says_what_it_is(image: BuiltImage, service: str) -> None:
    """It names its user by number, its version and its licence, and starts a program without a shell."""
    assert image.config["User"] == "65532:65532"
    assert image.command == ("python", "-m", "serve")
    assert image.config["StopSignal"] == "SIGTERM"
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in image.config["Labels"].items()}
    assert labels["title"] == f"cutline-{service}"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] != "0.0.0"
    assert len(labels["revision"]) == 40
    assert labels["created"][:2] == "20"


def test_an_image_holds_what_its_service_needs_and_no_more(image: BuiltImage, service: str) -> None:
    """No installer, compiler, other service or command line; pixel libraries for imaging alone; bytecode of all."""
    packages = site_packages(image)
    assert {f"services/{folder.name}" for folder in (packages / "services").iterdir()} == {f"services/{service}"}
    assert not {"cli", "client", "embedded", "testing"} & {folder.name for folder in (packages / "cutline").iterdir()}
    found = {entry.name for entry in packages.iterdir()}
    assert bool(PIXEL_LIBRARIES & found) is (service in {"imaging", "mockup"})
    assert {"pip", "setuptools"} & found == set()
    assert told(image, "python3", "-c", "import pip").returncode != 0
    assert told(image, "python3", "-c", "import ensurepip").returncode != 0
    for program in ("pip", "gcc", "cc", "c++", "ld"):
        assert list(image.root.glob(f"*/bin/{program}")) + list(image.root.glob(f"usr/*/bin/{program}")) == []
    sources = list((packages / "cutline").rglob("*.py")) + list((packages / "services").rglob("*.py"))
    assert [file for file in sources if not list((file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"))] == []


def test_nothing_but_its_own_folder_can_be_written(image: BuiltImage) -> None:
    """The user of an image writes to /tmp and to nothing else."""
    script = "import sys, pathlib; pathlib.Path(sys.argv[1], 'mark').write_text('x')"
    assert told(image, "python", "-c", script, "/tmp").returncode == 0  # noqa: S108  (the image's own)
    for folder in ("/", "/opt/cutline", "/var/tmp", "/etc"):  # noqa: S108  (the image's own)
        assert "OSError" in told(image, "python", "-c", script, folder).stderr
    assert told(image, "python", "-c", "import os; print(os.getuid(), os.getgid(), os.getgroups())").stdout.split() == [
        "65532",
        "65532",
        "[65532]",
    ]


def test_a_service_without_settings_names_them(image: BuiltImage) -> None:
    """Started bare, it ends with 2 and says which settings are missing."""
    said = told(image, *image.command)
    assert said.returncode == 2
    assert "CUTLINE_NATS_URL: is required" in said.stdout + said.stderr


async def test_a_service_answers_its_probes_and_ends_in_order(
    image: BuiltImage, service: str, service_environment: dict[str, str]
) -> None:
    """Beside real servers it becomes ready, answers every probe, and ends with 0 on SIGTERM."""
    connection = await nats.connect(service_environment["CUTLINE_NATS_URL"])
    await apply_topology(connection.jetstream(), Topology())
    await connection.close()
    with_ports = PortReservation()
    http_port, grpc_port = with_ports.take(), with_ports.take()
    with_ports.release()
    environment = {
        **service_environment,
        "CUTLINE_HTTP_LISTEN": f"{LOOPBACK}:{http_port}",
        "CUTLINE_GRPC_LISTEN": f"{LOOPBACK}:{grpc_port}",
        "CUTLINE_IMAGING_SLOTS": "1",
    }
    url = f"http://{LOOPBACK}:{http_port}"

    async with running(image, environment) as process, httpx.AsyncClient(trust_env=False) as client:

        async def ready() -> bool:
            assert process.returncode is None, "the service ended by itself"
            try:
                return (await client.get(f"{url}/readyz")).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        await until(ready, within_s=180)
        assert (await client.get(f"{url}/livez")).json() == {"alive": True}
        metrics = await client.get(f"{url}/metrics")
        assert metrics.status_code == httpx.codes.OK
        # A worker has nothing to show before its first job.
        assert f'service_name="cutline-{service}"' in metrics.text or service in {"imaging", "mockup"}
        process.terminate()
        assert await process.wait() == 0


def test_the_warmed_cache_is_used(image: BuiltImage, service: str) -> None:
    """Importing rembg on a read-only root compiles nothing: every function comes from the image."""
    if service != "imaging":
        pytest.skip("only imaging removes backgrounds by a model")
    said = told(image, "python", "-m", "sealed_cache", NUMBA_DEBUG_CACHE="1")
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("[cache] data loaded") > 20
    assert "saved" not in said.stdout

    other = told(image, "python", "-m", "sealed_cache", NUMBA_CPU_NAME="core2")
    assert other.returncode != 0
    assert "was it built for another processor than NUMBA_CPU_NAME names?" in other.stderr

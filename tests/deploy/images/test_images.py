"""What an image is made of: the code its service imports, the libraries its lock names, and a clean Dockerfile."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Final

import grimp
import pytest
from packaging.requirements import Requirement

from deploy.docker.assemble import SERVICES, STARTED, AssembleError, assemble, files_of, modules_of
from deploy.docker.sbom import pins_of
from tests.deploy.images.conftest import DEPLOY, ROOT

DOCKERFILE: Final = DEPLOY / "docker" / "Dockerfile"
PIXELS: Final = {"PIL", "cv2", "numpy", "onnxruntime", "pikepdf", "rembg", "scipy", "shapely"}
ABSENT: Final = ("cutline.cli", "cutline.client", "cutline.embedded", "cutline.testing")


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Who imports whom, as another tool than ours sees it."""
    roots = ("cutline", *(f"services.{service}" for service in SERVICES))
    return grimp.build_graph(*roots, cache_dir=None)


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Whose image."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def modules(service: str) -> dict[str, Path]:
    """The modules of its image."""
    return modules_of(service, ROOT)


@pytest.fixture(scope="module")
def assembled(service: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of an image, as it lies in its `site-packages`."""
    into = tmp_path_factory.mktemp(service)
    assemble(service, ROOT, into)
    return into


def test_the_dockerfile_is_clean() -> None:
    """Hadolint finds nothing in the Dockerfile, and no rule is switched off."""
    tool = Path(sys.executable).with_name("hadolint")
    if not tool.exists():
        pytest.skip("hadolint is not installed beside this Python")
    checked = subprocess.run((tool, "--no-color", DOCKERFILE), cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert "hadolint ignore" not in DOCKERFILE.read_text("utf-8")

    faulty = subprocess.run((tool, "-"), input="FROM debian\nRUN cd /", capture_output=True, text=True, check=False)
    assert faulty.returncode != 0


def test_the_base_is_named_once() -> None:
    """One argument names the base with its full version, and every stage begins with it."""
    text = DOCKERFILE.read_text("utf-8")
    assert re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE) == ["${BASE_IMAGE}", "${BASE_IMAGE}"]
    (base,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", text, flags=re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base)


def test_an_image_holds_what_its_service_imports(
    service: str, modules: dict[str, Path], imports: grimp.ImportGraph
) -> None:
    """The modules of an image are those that import-linter's own graph reaches from what is started, and no others."""
    waiting = {*STARTED.get(service, ()), *(name for name in imports.modules if name.startswith(f"services.{service}"))}
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        reached.add(name)
        above = name.rpartition(".")[0]
        near = {*imports.find_modules_directly_imported_by(name), *({above} & imports.modules)}
        waiting |= near - reached
    assert set(modules) == reached


def test_an_image_holds_no_other_service_and_no_tool_of_developers(service: str, modules: dict[str, Path]) -> None:
    """No image has the command line, the SDK, the embedded servers, the fake server or another service."""
    assert [name for name in modules if name.startswith(ABSENT)] == []
    assert {name.split(".")[1] for name in modules if name.startswith("services.")} == {service}
    touches_pixels = any(name.startswith("cutline.imaging.pipeline") for name in modules)
    assert touches_pixels is (service == "imaging")


def test_data_files_come_with_their_packages(service: str) -> None:
    """Presets, scenes, profiles and migrations are where the code looks for them; caches and stubs are nowhere."""
    places = {str(place) for place in files_of(service, ROOT)}
    assert "cutline/store/migrations/0001_designs_and_jobs.sql" in places
    assert ("cutline/imaging/exports/srgb.icc" in places) is (service == "imaging")
    assert ("cutline/mockups/scenes/laptop/scene.toml" in places) is (service == "mockup")
    assert [place for place in places if place.endswith((".pyc", ".pyi"))] == []


def test_an_unknown_service_is_refused() -> None:
    """A build for a service that does not exist ends with its name and those that there are."""
    with pytest.raises(AssembleError, match=r"'imagin' is not one of the services ingest, imaging"):
        modules_of("imagin", ROOT)


def locked(service: str) -> set[str]:
    """Distributions that the lock of a service installs on this Python, by normalised name."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    lock = (ROOT / "requirements" / f"{service}.txt").read_text("utf-8")
    return {pin.name.replace("_", "-") for pin in pins_of(lock, python)}


def test_a_lock_holds_what_its_packages_need(service: str) -> None:
    """Whatever a package of the lock requires is in the lock: nothing is missing when only it is installed."""
    names = locked(service)
    missing = {}
    for name in names:
        try:
            wanted = distribution(name).requires or []
        except PackageNotFoundError:
            pytest.fail(f"{name} of the lock is not installed here: make install-dev")
        for requirement in map(Requirement, wanted):
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if applies and requirement.name.lower().replace("_", "-").replace(".", "-") not in names:
                missing[name] = requirement.name
    assert missing == {}


def test_what_builds_from_source_is_locked_too() -> None:
    """The one package that comes as source is built by the locked setuptools, of the version that the tests use."""
    text = (DEPLOY / "docker" / "builder.txt").read_text("utf-8")
    (builder,) = pins_of(text, "3.11.14")
    dev = (ROOT / "requirements" / "dev.txt").read_text("utf-8")
    assert builder in pins_of(dev, "3.11.14")
    assert builder.hashes


# Refuses the top-level packages of the first argument, as if they were not installed.
_FENCE: Final = """
import importlib.abc, json, sys
outside = set(json.loads(sys.argv[1]))

class Fence(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if path is None and name.split(".")[0] in outside:
            raise ModuleNotFoundError(f"{name} is in no package of the lock", name=name)
        return None

sys.meta_path.insert(0, Fence())
sys.path.insert(0, sys.argv[2])
sys.argv[1:] = []
"""


@pytest.fixture(scope="module")
def owners() -> dict[str, set[str]]:
    """The distributions that are installed here, with the top-level packages of each."""
    return {
        str(found.name).lower().replace("_", "-"): {
            line.split("/")[0].removesuffix(".py")
            for line in (found.read_text("RECORD") or "").splitlines()
            if "/" in line and ".py" in line
        }
        for found in distributions()
    }


def run(assembled: Path, outside: set[str], script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script with the code of an image and what is installed here, but for the packages outside of its lock."""
    return subprocess.run(
        (sys.executable, "-P", "-c", _FENCE + script, json.dumps(sorted(outside)), assembled),
        cwd=assembled,
        env={name: value for name, value in os.environ.items() if not name.startswith("CUTLINE_")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def outside(service: str, owners: dict[str, set[str]]) -> set[str]:
    """Top-level packages that are installed here and not in the image."""
    names = locked(service)
    inside = {package for owner in names for package in owners[owner]}
    beyond = {package for owner, packages in owners.items() if owner not in names for package in packages}
    return beyond - inside - {"cutline", "services"}


def test_an_image_works_with_its_lock_alone(
    assembled: Path, service: str, modules: dict[str, Path], outside: set[str]
) -> None:
    """With what the lock installs alone every module can be imported, and the program names the settings it misses."""
    assert {"pytest", "nats"} & outside == {"pytest"}
    names = [name for name in modules if not name.endswith("__main__")]
    said = run(
        assembled,
        outside,
        f"import importlib, runpy\nfor name in {names!r}: importlib.import_module(name)\n"
        "import cutline; print(cutline.__file__)\n"
        "print(*sorted(name for name in sys.modules if '.' not in name), flush=True)\n"
        'runpy.run_module("serve", run_name="__main__", alter_sys=True)',
    )
    assert said.returncode == 2, said.stderr
    where, loaded, *problems = said.stdout.splitlines()
    assert Path(where).is_relative_to(assembled), "another copy of cutline was imported"
    assert bool(PIXELS & set(loaded.split())) is (service in {"imaging", "mockup"})
    for name in ("CUTLINE_NATS_URL", "CUTLINE_POSTGRES_DSN", "CUTLINE_S3_ENDPOINT", "CUTLINE_S3_SECRET_KEY"):
        assert f"{name}: is required" in "\n".join(problems)


def test_the_builder_gets_nothing_else() -> None:
    """What is sent to a builder is named file by file: no secrets, no data, no history."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    assert {line for line in lines if line.startswith("!")} == {
        "!pyproject.toml",
        "!requirements/*.txt",
        "!services",
        "!src/cutline",
        "!deploy/docker",
    }


def test_building_without_a_builder_says_so(tmp_path: Path) -> None:
    """Where neither docker nor podman nor buildah is there, the script says which it looked for."""
    for tool in ("sh", "dirname"):
        (tmp_path / tool).symlink_to(
            next(path for path in (Path("/bin") / tool, Path("/usr/bin") / tool) if path.exists())
        )
    tried = subprocess.run(
        ("/bin/sh", DEPLOY / "docker" / "build.sh"),
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 1
    assert "neither docker nor podman nor buildah works here" in tried.stderr

"""The bills of materials name what an image is made of, the same bytes each time."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from deploy.docker.sbom import SERVICES, bill, pins_of, write
from tests.deploy.images.conftest import ROOT

SCHEMAS: Final = Path(sys.prefix) / "schemas" / "cyclonedx" / "schema" / "_res"


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Whose image."""
    name: str = request.param
    return name


def test_a_bill_is_the_same_each_time(tmp_path: Path) -> None:
    """Two runs write the same bytes, one file an image, each with a serial number of its own."""
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert [file.name for file in first] == [f"cutline-{service}.cdx.json" for service in SERVICES]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    assert len({json.loads(file.read_text("utf-8"))["serialNumber"] for file in first}) == len(SERVICES)


def test_a_bill_is_valid(service: str) -> None:
    """A bill has the form of CycloneDX 1.6, and a slip in it would be seen."""
    if not SCHEMAS.is_dir():
        pytest.skip("the schema of CycloneDX is not installed: make schemas")
    names = ("bom-1.6", "jsf-0.82", "spdx")
    loaded = {name: json.loads((SCHEMAS / f"{name}.SNAPSHOT.schema.json").read_text("utf-8")) for name in names}
    # They name each other as files beside them.
    base = loaded["bom-1.6"]["$id"].rpartition("/")[0]
    resources = [
        (f"{base}/{name}.SNAPSHOT.schema.json", Resource.from_contents(schema)) for name, schema in loaded.items()
    ]
    registry: Registry[Any] = Registry().with_resources(resources)
    validator = Draft7Validator(loaded["bom-1.6"], registry=registry)
    made = bill(service)
    assert [error.message for error in validator.iter_errors(made)] == []

    made["components"][1]["type"] = "libary"
    assert not validator.is_valid(made)


def test_a_bill_names_every_package_of_the_lock(service: str) -> None:
    """Each package that the lock installs on Linux is there once, with its version and its hashes; no other is."""
    packages = [part for part in bill(service)["components"] if part["type"] == "library"]
    lock = (ROOT / "requirements" / f"{service}.txt").read_text("utf-8")
    assert {part["purl"] for part in packages} == {
        f"pkg:pypi/{pin.name}@{pin.version}" for pin in pins_of(lock, "3.11.14")
    }
    assert len({part["name"] for part in packages}) == len(packages)
    assert all(part["hashes"] for part in packages)
    assert "colorama" not in {part["name"] for part in packages}, "what Windows alone needs is not in an image of Linux"
    if sys.version_info[:2] == (3, 11):
        assert {part["name"]: part["version"] for part in packages} == {
            part["name"]: version(part["name"]) for part in packages
        }


def test_a_lock_is_read_by_the_markers_of_the_image() -> None:
    """Of a package that is locked twice the version for the image's Python is taken, whatever runs the script."""
    lock = (
        "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:" + "a" * 64 + "\n"
        "numpy==2.5.5 ; python_full_version >= '3.12' \\\n    --hash=sha256:" + "b" * 64 + "\n"
        "six==1.17.0 \\\n    --hash=sha256:"
        + "c" * 64
        + " \\\n    --hash=sha256:"
        + "d" * 64
        + "\n    # via somebody\n"
    )
    assert [(pin.name, pin.version, len(pin.hashes)) for pin in pins_of(lock, "3.11.14")] == [
        ("numpy", "2.4.6", 1),
        ("six", "1.17.0", 2),
    ]
    assert [pin.version for pin in pins_of(lock, "3.13.1")] == ["2.5.5", "1.17.0"]

"""Writes what each image is made of, as CycloneDX 1.6: `python deploy/docker/sbom.py FOLDER [SERVICE ...]`.

Read from the locks, which are all that is installed: names, versions and the hashes of the files that pip admits. Only
what the platform of the images takes is listed. The same sources give the same bytes: no time, no random serial number.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker

CHECKOUT: Final = Path(__file__).resolve().parents[2]
SERVICES: Final = ("ingest", "imaging", "mockup", "status")

# What the images run on; Python as in the Dockerfile's base.
_PLATFORM: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}
_PIN: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\\n]+?))?\s*\\?$"
)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_BASE: Final = re.compile(r"^ARG BASE_IMAGE=(?P<name>[^:@\s]+):(?P<tag>(?P<python>\d+\.\d+\.\d+)[^@\s]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock.

    Attributes:
        name: As the index knows it.
        version: The only one admitted.
        hashes: SHA-256 of the files admitted, hexadecimal: a wheel a platform, and the source.
    """

    name: str
    version: str
    hashes: tuple[str, ...]


def pins_of(lock: str, python: str) -> list[Pin]:
    """The packages that a lock installs into an image.

    Args:
        lock: Text of the lock.
        python: Full version of the images' Python.
    """
    environment = {
        **_PLATFORM,
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "implementation_version": python,
    }
    return [pin for pin, marker in _entries(lock) if not marker or Marker(marker).evaluate(environment)]


def _entries(lock: str) -> Iterator[tuple[Pin, str]]:
    for block in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE):
        if match := _PIN.match(block.partition("\n")[0]):
            pin = Pin(match["name"].lower(), match["version"], tuple(sorted(_HASH.findall(block))))
            yield pin, match["marker"] or ""


def bill(service: str, checkout: Path = CHECKOUT) -> dict[str, Any]:
    """The bill of materials of a service's image, as CycloneDX names its parts."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = _BASE.search((checkout / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8"))
    if base is None:
        message = "the Dockerfile names no base image with a full version of Python"
        raise ValueError(message)
    lock = (checkout / "requirements" / f"{service}.txt").read_text(encoding="utf-8")
    packages = [_package(pin) for pin in pins_of(lock, base["python"])]
    reference = f"cutline-{service}@{project['version']}"
    container = {
        "bom-ref": f"base:{base['name']}:{base['tag']}",
        "type": "container",
        "name": base["name"],
        "version": base["tag"],
        "purl": f"pkg:docker/{base['name']}@{base['tag']}",
    }
    components = [container, *packages]
    body = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "bom-ref": reference,
                "type": "container",
                "name": f"cutline-{service}",
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
            },
            # The hashes are of the files that may be installed; the image holds one of each package.
            "lifecycles": [{"phase": "pre-build"}],
        },
        "components": components,
        "dependencies": [{"ref": reference, "dependsOn": sorted(part["bom-ref"] for part in components)}],
    }
    # A serial number that is the content's own: another lock has another one, the same lock the same.
    content = json.dumps(body, sort_keys=True)
    return {**body, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}"}


def _package(pin: Pin) -> dict[str, Any]:
    purl = f"pkg:pypi/{pin.name}@{pin.version}"
    return {
        "bom-ref": purl,
        "type": "library",
        "name": pin.name,
        "version": pin.version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in pin.hashes],
    }


def write(folder: Path, services: Sequence[str] = SERVICES) -> list[Path]:
    """Writes one file a service, `cutline-<service>.cdx.json`; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for service in services:
        file = folder / f"cutline-{service}.cdx.json"
        file.write_text(json.dumps(bill(service), indent=2) + "\n", encoding="utf-8")
        files.append(file)
    return files


def main(arguments: Sequence[str]) -> int:
    """Writes the files and says where they are."""
    if not arguments or set(arguments[1:]) - set(SERVICES):
        print(f"usage: {Path(sys.argv[0]).name} FOLDER [{'|'.join(SERVICES)} ...]", file=sys.stderr)
        return 2
    for file in write(Path(arguments[0]), arguments[1:] or SERVICES):
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

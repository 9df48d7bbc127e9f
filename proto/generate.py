"""Generates src/cutline/v1 and src/cutline/jobs/v1 from the .proto files; with --check only compares.

The generated code is committed, so that nobody needs a compiler to use it, and a test repeats this check.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
SOURCE = PROTO.parent / "src"
PACKAGES = ("cutline/v1", "cutline/jobs/v1")
STUB_PLUGINS = ("mypy", "mypy_grpc")
KINDS = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def main() -> int:
    """Generate or check; 1 when the committed code is not what the .proto files say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    check_only = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        differing = sorted(different(fresh))
        if check_only:
            sys.stderr.writelines(f"src/{path} is not what `make proto` generates\n" for path in differing)
            return 1 if differing else 0
        for path in differing:
            replace(SOURCE / path, fresh / path)
    return 0


def generate(target: Path) -> None:
    """Write the code of every .proto file below `target`.

    Raises:
        SystemExit: The compiler refused; it has said why.
    """
    sources = [path for package in PACKAGES for path in sorted((PROTO / package).glob("*.proto"))]
    arguments = [
        "protoc",
        f"--proto_path={PROTO}",
        f"--proto_path={files('grpc_tools') / '_proto'}",
        # By path: the plugins lie beside this interpreter, which need not be on PATH.
        *(f"--plugin=protoc-gen-{name}={Path(sys.executable).parent / f'protoc-gen-{name}'}" for name in STUB_PLUGINS),
        *(f"--{plugin}_out={target}" for plugin in ("python", "grpc_python")),
        *(f"--{plugin}_out=quiet:{target}" for plugin in STUB_PLUGINS),
        *map(str, sources),
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit(1)
    for source in sources:
        if "\nservice " not in source.read_text(encoding="utf-8"):
            for suffix in ("_pb2_grpc.py", "_pb2_grpc.pyi"):  # holds nothing without a service
                (target / source.relative_to(PROTO).parent / (source.stem + suffix)).unlink()


def different(fresh: Path) -> Iterator[Path]:
    """The paths, relative to src/, that are missing, surplus or of other content."""
    for package in PACKAGES:
        names = {path.name for root in (fresh, SOURCE) for kind in KINDS for path in (root / package).glob(kind)}
        for path in (Path(package, name) for name in names):
            if content(SOURCE / path) != content(fresh / path):
                yield path


def content(path: Path) -> bytes | None:
    """The bytes of a file; None when there is none."""
    return path.read_bytes() if path.exists() else None


def replace(old: Path, new: Path) -> None:
    """Put the new content in the place of the old, or remove what is not generated any more."""
    if new.exists():
        old.write_bytes(new.read_bytes())
    else:
        old.unlink()


if __name__ == "__main__":
    sys.exit(main())

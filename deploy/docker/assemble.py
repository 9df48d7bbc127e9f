"""Puts the code of one service into an image: `python assemble.py SERVICE FROM INTO`.

What an image needs is read from the imports themselves: from the modules that are run, everything of `cutline` that
they reach, imports inside functions too. Data files (presets, scenes, migrations, profiles) come with their package.
So ingest and status carry nothing that touches pixels, and no image carries the command line or the embedded servers.
"""

from __future__ import annotations

import ast
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

SERVICES: Final = ("ingest", "imaging", "mockup", "status")

STARTED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        # The jobs and the commands of operators run from the image of ingest.
        "ingest": (
            "cutline.messaging.apply",
            "cutline.messaging.permissions",
            "cutline.rpc.keys",
            "cutline.store.migrations.__main__",
            "cutline.store.tenant_settings",
        ),
        # The workers start this in every process of a slot.
        "imaging": ("cutline.messaging.slot_child",),
        "mockup": ("cutline.messaging.slot_child",),
    }
)
"""What is started with `python -m` beside the service itself."""

_CODE: Final = frozenset({".py", ".pyc", ".pyi"})


class AssembleError(Exception):
    """The code cannot be put together; the message says why."""


def modules_of(service: str, checkout: Path) -> dict[str, Path]:
    """Every module of this project that an image needs.

    Args:
        service: One of SERVICES.
        checkout: The folder with `src` and `services`.

    Returns:
        Names of modules (`cutline.store.pool`; packages without `__init__`) and their files.

    Raises:
        AssembleError: There is no such service, or a module that is started is not there.
    """
    folder = checkout / "services" / service
    if service not in SERVICES or not folder.is_dir():
        message = f"{service!r} is not one of the services {', '.join(SERVICES)} in {checkout}"
        raise AssembleError(message)
    own = [_name(file, checkout) for file in sorted(folder.rglob("*.py"))]
    waiting, found = [*own, *STARTED.get(service, ())], dict[str, Path]()
    for name in waiting:
        if _file(name, checkout) is None:
            message = f"{name} is started in the image of {service} and is not there"
            raise AssembleError(message)
    while waiting:
        name = waiting.pop()
        file = _file(name, checkout)
        if file is None or name in found:
            continue  # an attribute of a module (`from package import name`), or known
        found[name] = file
        waiting.append(name.rpartition(".")[0])
        waiting.extend(_imported(name, file))
    return dict(sorted(found.items()))


def files_of(service: str, checkout: Path) -> dict[Path, Path]:
    """Every file of this project that an image needs: its place below `site-packages`, and where it is now."""
    modules = modules_of(service, checkout)
    packages = {file.parent for file in modules.values() if file.name == "__init__.py"}
    data = (file for package in packages for file in _data(package))
    return {_place(file, checkout): file for file in sorted({*modules.values(), *data})}


def assemble(service: str, checkout: Path, into: Path) -> None:
    """Copies the code of a service into a `site-packages` folder, with the metadata that tells its version.

    Raises:
        AssembleError: See `modules_of`.
    """
    for place, file in files_of(service, checkout).items():
        target = into / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = into / f"{project['name']}-{project['version']}.dist-info"
    metadata.mkdir()
    lines = ("Metadata-Version: 2.4", f"Name: {project['name']}", f"Version: {project['version']}")
    (into / "serve.py").write_text(entry_point(service), encoding="utf-8")
    (metadata / "METADATA").write_text("\n".join((*lines, f"License-Expression: {project['license']}", "")))


def entry_point(service: str) -> str:
    """The module `serve`: an image's command is `python -m serve`, because no variable can stand in it."""
    return (
        f'"""Runs the service; the same as `python -m services.{service}`."""\n\n'
        "import runpy\n\n"
        f'runpy.run_module("services.{service}", run_name="__main__", alter_sys=True)\n'
    )


def _imported(name: str, file: Path) -> Iterator[str]:
    """Names that may be modules: for `from a import b` both `a` and `a.b`."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -node.level + 1 or None] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _file(name: str, checkout: Path) -> Path | None:
    root, *parts = name.split(".")
    if root not in {"cutline", "services"}:
        return None
    path = (checkout / "src" if root == "cutline" else checkout).joinpath(root, *parts)
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


def _name(file: Path, checkout: Path) -> str:
    parts = _place(file, checkout).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _place(file: Path, checkout: Path) -> Path:
    source = checkout / "src"
    return file.relative_to(source if file.is_relative_to(source) else checkout)


def _data(folder: Path) -> Iterator[Path]:
    """Files of a package that are no code, and those of its folders that are no packages."""
    for entry in folder.iterdir():
        if entry.is_file() and entry.suffix not in _CODE:
            yield entry
        elif entry.is_dir() and entry.name != "__pycache__" and not (entry / "__init__.py").exists():
            yield from _data(entry)


def main(arguments: list[str]) -> int:
    """Assembles; prints what is wrong and returns 1 where it cannot."""
    service, checkout, site_packages = arguments
    try:
        assemble(service, Path(checkout), Path(site_packages))
    except AssembleError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

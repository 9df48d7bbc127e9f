"""Where the services are and who calls."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cutline.client.errors import NotConfiguredError

INGEST_TARGET: Final = "CUTLINE_INGEST_TARGET"
STATUS_TARGET: Final = "CUTLINE_STATUS_TARGET"
BOTH_TARGETS: Final = "CUTLINE_TARGET"
API_KEY: Final = "CUTLINE_API_KEY"
TLS: Final = "CUTLINE_TLS"

_DATA_FOLDER: Final = ".cutline"
_FIRST_INSTANCE: Final = "1"
_FILE_NAME: Final = "client.env"
_TRUE: Final = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How a client reaches the services.

    Attributes:
        ingest_target: gRPC target of the ingest service, such as `127.0.0.1:7001` or `dns:///ingest.example:443`.
        status_target: The same for the status service.
        api_key: Credential sent with every call.
        tls: Whether to speak TLS, with the system's roots.
    """

    ingest_target: str
    status_target: str
    api_key: str = field(repr=False)
    tls: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, folder: Path | None = None) -> Self:
        """Settings from the environment, or from what an embedded stack started in this folder wrote.

        CUTLINE_TARGET stands for both targets where one address serves both. Without any target in the environment
        `.cutline/1/client.env` is read, or that of another instance where it is the only one.

        Args:
            environ: Environment variables; None means the process's own.
            folder: Where to look for `.cutline`; None means the current folder.

        Raises:
            NotConfiguredError: A target or the key is in neither; it names the variables.
        """
        found = dict(os.environ if environ is None else environ)
        if not any(found.get(name) for name in (INGEST_TARGET, STATUS_TARGET, BOTH_TARGETS)):
            found = {**_embedded(folder or Path.cwd()), **{name: value for name, value in found.items() if value}}
        both = found.get(BOTH_TARGETS, "")
        values = {
            INGEST_TARGET: found.get(INGEST_TARGET) or both,
            STATUS_TARGET: found.get(STATUS_TARGET) or both,
            API_KEY: found.get(API_KEY, ""),
        }
        if missing := [name for name, value in values.items() if not value]:
            raise NotConfiguredError(missing)
        return cls(
            ingest_target=values[INGEST_TARGET],
            status_target=values[STATUS_TARGET],
            api_key=values[API_KEY],
            tls=found.get(TLS, "").lower() in _TRUE,
        )


def _embedded(folder: Path) -> dict[str, str]:
    """What the embedded stack of this folder wrote for clients; nothing where none ran."""
    stacks = sorted((folder / _DATA_FOLDER).glob(f"*/{_FILE_NAME}"))
    first = folder / _DATA_FOLDER / _FIRST_INSTANCE / _FILE_NAME
    path = first if first in stacks else stacks[0] if len(stacks) == 1 else None
    if path is None:
        return {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return {}
    words = [word for line in lines for word in shlex.split(line, comments=True)]
    return dict(word.split("=", 1) for word in words if word.startswith("CUTLINE_") and "=" in word)

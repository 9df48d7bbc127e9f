"""`cutline doctor`: what is missing or unreachable, and the mend."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import typer
from rich.table import Table
from rich.text import Text

from cutline.cli.failures import ExitCode, explain, run
from cutline.cli.options import Output
from cutline.cli.printing import OutputStyle, console, print_json
from cutline.client import (
    ApiError,
    AsyncClient,
    BadSettingError,
    ClientSettings,
    NotConfiguredError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)

MIN_PYTHON: Final = (3, 11)
PROBE_TIMEOUT_S: Final = 3.0

# Extra -> a module that each of its packages brings.
EXTRAS: Final = {
    "imaging": ("PIL", "cv2", "ezdxf", "numpy", "pikepdf", "resvg_py", "shapely"),
    "mockup": ("PIL", "cv2", "numpy", "resvg_py"),
    "services": ("aioboto3", "asyncpg", "nats", "opentelemetry.sdk", "structlog"),
    "model": ("rembg",),
}


class Health(StrEnum):
    """How a check went."""

    FINE = "ok"
    ABSENT = "absent"
    WRONG = "wrong"
    AWAY = "away"


_STYLES: Final = {Health.FINE: "green", Health.ABSENT: "dim", Health.WRONG: "red", Health.AWAY: "red"}
_CODES: Final = {Health.WRONG: ExitCode.BAD_INPUT, Health.AWAY: ExitCode.UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: how it is, what was seen, and the mend where one is needed."""

    subject: str
    health: Health
    seen: str
    mend: str = ""


def doctor(output: Output = OutputStyle.TABLE) -> None:
    """Check this installation and the way to the services.

    Exits with 0 when all is well, 2 when something is set wrongly, 3 when a service cannot be reached. An extra that
    is not installed is no fault.
    """
    checks = [_python(), *_extras(), *_wheels(), *run(_services())]
    if output is OutputStyle.TABLE:
        _print(checks)
    elif output is OutputStyle.JSON:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            print_json(asdict(check), output)
    if code := max((_CODES[check.health] for check in checks if check.health in _CODES), default=ExitCode.OK):
        raise typer.Exit(code)


def _print(checks: list[Check]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for check in checks:
        table.add_row(check.subject, Text(check.health, _STYLES[check.health]), Text(check.seen), Text(check.mend))
    console().print(table)


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < MIN_PYTHON:
        return Check("python", Health.WRONG, found, "install Python 3.11 or newer")
    return Check("python", Health.FINE, found)


def _extras() -> Iterator[Check]:
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if not _installed(module)]
        if missing:
            yield Check(f"extra {extra}", Health.ABSENT, ", ".join(missing), f"pip install 'cutline[{extra}]'")
        else:
            yield Check(f"extra {extra}", Health.FINE, "installed")


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _wheels() -> Iterator[Check]:
    from cutline.embedded import wheels  # noqa: PLC0415  (only this command looks for servers)

    servers: dict[str, Callable[[], Path]] = {
        "nats-server": wheels.nats_server,
        "postgres": wheels.postgres_bin,
        "weed": wheels.weed,
    }
    for name, locate in servers.items():
        try:
            path = locate()
        except wheels.MissingServerError as error:
            yield Check(f"server {name}", Health.ABSENT, "", str(error))
            continue
        if path.exists():
            yield Check(f"server {name}", Health.FINE, str(path))
        else:
            yield Check(
                f"server {name}",
                Health.WRONG,
                f"{path} is gone",
                "pip install --force-reinstall 'cutline[embedded]'",
            )


async def _services() -> list[Check]:
    try:
        settings = ClientSettings.from_env()
    except BadSettingError as error:
        return [Check("services", Health.WRONG, str(error), "correct it")]
    except NotConfiguredError as error:
        return [Check("services", Health.WRONG, str(error), "set the variables, or run `make up` in this folder")]
    nothing = str(uuid4())
    async with AsyncClient(settings, max_retries=0, timeout_s=PROBE_TIMEOUT_S) as client:
        checks = [
            await _probe("ingest", settings.ingest_target, "designs:write", client.designs.cancel(nothing)),
            await _probe("status", settings.status_target, "designs:read", client.designs.read(nothing)),
        ]
        if settings.admin_target:  # only operators have one
            checks.append(await _probe("admin", settings.admin_target, "admin", client.queue.job(nothing)))
        return checks


async def _probe(name: str, target: str, scope: str, call: Any) -> Check:
    """Asks about a design or job that cannot exist: NOT_FOUND means that the way and the key are good."""
    subject = f"service {name}"
    try:
        await call
    except NotFoundError:
        return Check(subject, Health.FINE, target)
    except UnauthenticatedError:
        return Check(subject, Health.WRONG, f"{target} refuses the key", "set CUTLINE_API_KEY to a valid key")
    except PermissionDeniedError:
        return Check(subject, Health.WRONG, "the key lacks a scope", f"use a key with the scope {scope}")
    except ApiError as error:
        seen = f"{target}: {explain(error)}"
        return Check(subject, Health.AWAY, seen, f"start it, or set CUTLINE_{name.upper()}_TARGET")
    return Check(subject, Health.WRONG, f"{target} answered for what cannot exist", "check the address")

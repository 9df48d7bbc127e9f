"""Compiled code that an image brings is used where nothing can be written, and what is missing is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.images.conftest import DEPLOY

_MODULE: Final = """
from numba import njit

@njit("f8(f8)", cache=True)
def double(number):
    return 2 * number
"""
_CALL: Final = "import double_it; print(double_it.double(21.0), *double_it.double.stats.cache_hits.values())"
# Stands for a read-only root, which root itself could not be kept from writing to otherwise.
_SEALED: Final = """
import errno, tempfile
def refuse(*arguments, **named): raise OSError(errno.EROFS, "Read-only file system")
tempfile.TemporaryFile = refuse
"""


def told(folder: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a script says that finds the module and the locator, as the image's settings have it."""
    settings = {
        "PYTHONPATH": f"{folder}{os.pathsep}{DEPLOY / 'docker'}",
        "NUMBA_CACHE_LOCATOR_CLASSES": "sealed_cache.SealedCacheLocator",
        "NUMBA_CPU_NAME": "generic",
        **environment,
    }
    return subprocess.run(
        (sys.executable, "-c", script),
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_was_compiled_at_build_is_used_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A sealed cache serves what it holds, and names the processor where it holds nothing."""
    pytest.importorskip("numba", reason="numba comes with rembg: install 'cutline[model]'")
    (tmp_path / "double_it.py").write_text(_MODULE, encoding="utf-8")

    built = told(tmp_path, _CALL)
    assert built.stdout.split() == ["42.0"], built.stderr
    kept = sorted(file.name for file in (tmp_path / "__pycache__").glob("*.nb?"))

    served = told(tmp_path, _SEALED + _CALL)
    assert served.stdout.split() == ["42.0", "1"], served.stderr

    elsewhere = told(tmp_path, _SEALED + _CALL, NUMBA_CPU_NAME="core2")
    assert "was it built for another processor than NUMBA_CPU_NAME names?" in elsewhere.stderr

    assert sorted(file.name for file in (tmp_path / "__pycache__").glob("*.nb?")) == kept

"""What a laptop imports stays light."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "PIL",
    "aioboto3",
    "asyncpg",
    "botocore",
    "cv2",
    "nats",
    "numpy",
    "onnxruntime",
    "pikepdf",
    "rembg",
    "scipy",
    "shapely",
    "structlog",
}


@pytest.mark.parametrize("module", ["cutline", "cutline.client", "cutline.cli.__main__", "cutline.embedded"])
def test_import_is_light(module: str) -> None:
    """Importing the SDK or the command line loads no pixel library, no broker client and no database driver."""
    script = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    shown = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert HEAVY & set(json.loads(shown.stdout)) == set()

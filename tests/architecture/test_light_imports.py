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


@pytest.mark.parametrize(
    "module", ["cutline", "cutline.client", "cutline.cli.__main__", "cutline.embedded", "cutline.testing"]
)
def test_import_is_light(module: str) -> None:
    """None of these loads a pixel library, a broker client or a database driver: a laptop needs none of them."""
    script = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    shown = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert HEAVY & set(json.loads(shown.stdout)) == set()

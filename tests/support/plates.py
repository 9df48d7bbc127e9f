"""The plates of a print PDF, as Ghostscript separates them, and the file without some of its layers."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import numpy as np
import pikepdf
import pytest
from numpy.typing import NDArray
from PIL import Image

DPI: Final = 600
MM_PER_PX: Final = 25.4 / DPI
PROCESS_INKS: Final = ("Cyan", "Magenta", "Yellow", "Black")
_HALF: Final = 128


def separated(data: bytes, folder: Path) -> dict[str, NDArray[np.uint8]]:
    """How much ink, 0 to 255, each plate has at 600 dpi, by the plate's name; skips the test without Ghostscript."""
    ghostscript = shutil.which("gs")
    if ghostscript is None:
        pytest.skip("gs (Ghostscript) is not installed")
    folder.mkdir()
    (folder / "print.pdf").write_bytes(data)
    options = ["-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", "-sDEVICE=tiffsep", f"-r{DPI}"]
    command = [ghostscript, *options, f"-sOutputFile={folder / 'plate.tif'}", str(folder / "print.pdf")]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    plates = {}
    for file in sorted(folder.glob("plate(*.tif")):
        name = re.sub(r"^plate\((.*)\)$", r"\1", file.stem)
        plates[name] = 255 - np.asarray(Image.open(file).convert("L"), np.uint8)
    return plates


def inked_box_mm(plate: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Box of what has at least half its ink in mm: x and y from the page's top left corner, width and height."""
    rows, columns = np.nonzero(plate >= _HALF)
    left, top = columns.min(), rows.min()
    sides = (left, top, columns.max() + 1 - left, rows.max() + 1 - top)
    x, y, width, height = (float(side) * MM_PER_PX for side in sides)
    return x, y, width, height


def without_layers(data: bytes, titles: Collection[str]) -> bytes:
    """The file with nothing drawn on the layers of these titles."""
    pdf = pikepdf.open(io.BytesIO(data))
    page = pdf.pages[0]
    layers: Any = page.Resources.Properties
    dropped = {name for name, group in layers.items() if str(group.Name) in titles}
    assert len(dropped) == len(titles)
    kept, drop = [], False
    parsed: list[Any] = list(pikepdf.parse_content_stream(page))
    for operands, operator in parsed:
        drop = drop or (str(operator) == "BDC" and str(operands[1]) in dropped)
        if not drop:
            kept.append((operands, operator))
        drop = drop and str(operator) != "EMC"
    page.Contents = pdf.make_stream(pikepdf.unparse_content_stream(kept))
    return saved(pdf)


def saved(pdf: pikepdf.Pdf) -> bytes:
    """The bytes of a PDF."""
    written = io.BytesIO()
    pdf.save(written)
    return written.getvalue()

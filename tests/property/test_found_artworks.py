"""Random artworks whose cut lines once broke a promise; found/ holds their alpha, and their specs where not default."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from cutline.domain.sticker_spec import CutType, IslandPolicy, LinerShape, StickerSpec, resolve
from cutline.imaging.cut_line.build import build_cut_line
from cutline.imaging.cut_line.scale import longer_side_mm
from cutline.imaging.outline import trace_outline
from tests.property.test_cut_line_properties import assert_promises_kept

FOUND: Final = Path(__file__).parent / "found"
CHOICES: Final = {"cut_type": CutType, "island_policy": IslandPolicy, "liner_shape": LinerShape}
CASES: Final[list[dict[str, Any]]] = json.loads((FOUND / "found.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["alpha"] for case in CASES])
def test_artworks_that_once_broke_a_promise_keep_it(case: dict[str, Any]) -> None:
    """Each is cut, and its line keeps every promise."""
    with Image.open(FOUND / case["alpha"]) as image:
        alpha = np.asarray(image.convert("L"))
    rgba = np.full((*alpha.shape, 4), 200, np.uint8)
    rgba[..., 3] = alpha
    changes: dict[str, Any] = {
        name: CHOICES[name](value) if name in CHOICES else value for name, value in case["spec"].items()
    }
    spec = replace(resolve(StickerSpec()), **changes)
    outline = trace_outline(rgba, alpha_threshold=spec.alpha_threshold, longer_side_mm=longer_side_mm(spec))

    assert_promises_kept(outline, build_cut_line(outline, spec), spec)

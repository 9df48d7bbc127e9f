"""Random artworks whose cut lines once broke a promise; found/ holds their alpha, and their specs where not default."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image
from shapely import affinity

from cutline.domain.sticker_spec import CutType, IslandPolicy, LinerShape, ResolvedSpec, StickerSpec, resolve
from cutline.imaging.cut_line.build import build_cut_line
from cutline.imaging.cut_line.scale import longer_side_mm
from cutline.imaging.outline import Outline, trace_outline
from tests.property.test_cut_line_properties import assert_promises_kept

FOUND: Final = Path(__file__).parent / "found"
CHOICES: Final = {"cut_type": CutType, "island_policy": IslandPolicy, "liner_shape": LinerShape}
CASES: Final[list[dict[str, Any]]] = json.loads((FOUND / "found.json").read_text())


ON_A_KNIFE_EDGE: Final = "31.png"
LAST_DIGIT: Final = 2.0**-52


@pytest.mark.parametrize("case", CASES, ids=[case["alpha"] for case in CASES])
def test_artworks_that_once_broke_a_promise_keep_it(case: dict[str, Any]) -> None:
    """Each is cut, and its line keeps every promise."""
    outline, spec = found(case)

    assert_promises_kept(outline, build_cut_line(outline, spec), spec)


@pytest.mark.parametrize("digits", range(-4, 5))
def test_no_promise_hangs_on_the_last_digit(digits: int) -> None:
    """All roundings of an artwork keep every promise, where half of them once broke one."""
    outline, spec = found(next(case for case in CASES if case["alpha"] == ON_A_KNIFE_EDGE))
    scale = 1 + digits * LAST_DIGIT
    nudged = replace(outline, art=affinity.scale(outline.art, scale, scale, origin=(0, 0)))

    assert_promises_kept(nudged, build_cut_line(nudged, spec), spec)


def found(case: dict[str, Any]) -> tuple[Outline, ResolvedSpec]:
    """An artwork's outline, and its spec."""
    with Image.open(FOUND / case["alpha"]) as image:
        alpha = np.asarray(image.convert("L"))
    rgba = np.full((*alpha.shape, 4), 200, np.uint8)
    rgba[..., 3] = alpha
    changes: dict[str, Any] = {
        name: CHOICES[name](value) if name in CHOICES else value for name, value in case["spec"].items()
    }
    spec = replace(resolve(StickerSpec()), **changes)
    return trace_outline(rgba, alpha_threshold=spec.alpha_threshold, longer_side_mm=longer_side_mm(spec)), spec

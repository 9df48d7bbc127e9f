"""The same input gives the same bytes, in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = """
import hashlib, json, sys
from cutline.domain.sticker_spec import CutType, StickerSpec, resolve
from cutline.imaging.pipeline import make_sticker
from cutline.imaging.press_profile import PressProfile
from tests.support.drawn_art import artwork_of, cutout_of, drawn, ring
from tests.support.press_profiles import icc_profile

rgba = drawn(ring())
made = {}
for name, wishes in {
    "kiss": {"cut_type": CutType.KISS_CUT, "white_ink": True, "border_color": "#204080", "inner_cuts": True},
    "full bleed": {"border_mm": -1.0, "printer_preset": "onlineprinters"},
}.items():
    for press in (None, PressProfile.read(icc_profile())):
        result = make_sticker(artwork_of(rgba), cutout_of(rgba), resolve(StickerSpec(**wishes)), press=press)
        for file in result.files:
            made[f"{name}, {press and press.title}, {file.kind}"] = hashlib.sha256(file.data).hexdigest()
json.dump(made, sys.stdout)
"""


@pytest.fixture(scope="module")
def digests() -> list[dict[str, str]]:
    """SHA-256 of every file of four stickers, made in two processes that hash strings differently."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            stdout=subprocess.PIPE,
        )
        for seed, zone in (("0", "UTC"), ("4242", "Pacific/Auckland"))
    ]
    answers = [process.communicate(timeout=100)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    return [json.loads(answer) for answer in answers]


def test_two_processes_make_the_same_bytes(digests: list[dict[str, str]]) -> None:
    """Every file of every format is identical whatever the hash seed, the time zone and the moment."""
    first, second = digests

    assert len(first) == 2 * 2 * 6
    assert first == second


def test_the_digests_tell_stickers_apart(digests: list[dict[str, str]]) -> None:
    """Print PDF and report depend on the press, the other files on the sticker only; the two stickers share none."""
    (first, _) = digests
    unique = set(first.values())

    assert len(unique) == 2 * (6 + 2)

"""The committed samples are what the script draws, and say how they are to be processed."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.domain.sticker_spec import StickerSpec
from samples.draw import ARTWORKS, FOLDER, draw

SAMPLES = tomllib.loads((Path(FOLDER).parent / "samples.toml").read_text("utf-8"))["sample"]


def pixels(data: bytes) -> NDArray[np.int16]:
    """A file's pixels, with alpha where it has any."""
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    return decoded.astype(np.int16)


@pytest.mark.parametrize("name", ["donut.png", "toadstool.jpg"])
def test_a_sample_can_be_drawn_again(name: str) -> None:
    """Drawing gives the committed picture, but for the last bits of other processors and libraries."""
    drawn, committed = pixels(draw(name)), pixels((FOLDER / name).read_bytes())
    assert drawn.shape == committed.shape
    assert np.abs(drawn - committed).mean() < 1


def test_every_drawing_is_a_sample() -> None:
    """samples.toml, the script and the folder name the same eight files."""
    listed = [sample["file"] for sample in SAMPLES]
    assert len(listed) == 8
    assert set(listed) == set(ARTWORKS) == {path.name for path in FOLDER.iterdir()}


def test_samples_are_small() -> None:
    """Together the artworks take less than 3 MB, and each is 1,200 to 2,000 px wide."""
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3_000_000
    assert all(1200 <= pixels(path.read_bytes()).shape[1] <= 2000 for path in FOLDER.iterdir())


def test_specs_name_fields_of_a_sticker_spec() -> None:
    """Every override in samples.toml is a field of the sticker spec."""
    known = {field.name for field in fields(StickerSpec)}
    assert all(set(sample["spec"]) <= known for sample in SAMPLES)
    assert all(sample["title"] for sample in SAMPLES)


def test_two_samples_bring_their_own_transparency() -> None:
    """The transparent samples have clear corners; all others are opaque."""
    clear = {
        name for name in ARTWORKS if (art := pixels((FOLDER / name).read_bytes())).shape[2] == 4 and art[0, 0, 3] == 0
    }
    assert clear == {"cactus.png", "stars.png"}

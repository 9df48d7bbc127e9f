"""The whole pipeline: bytes and a spec in, a sticker out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import CutoutMethod, CutRole, OutputFormat
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.imaging.pipeline import STEPS, process
from tests.support.drawn_art import disc, drawn, star


def png(rgba: np.ndarray) -> bytes:
    """Pixels as an uploaded PNG."""
    data = io.BytesIO()
    Image.fromarray(rgba).save(data, "PNG")
    return data.getvalue()


def test_a_transparent_png_becomes_a_sticker() -> None:
    """Every default file is made, named by kind, and the outer path is a through cut."""
    result = process(png(drawn(star())), resolve(StickerSpec(width_mm=50)))

    assert {file.kind for file in result.files} == set(OutputFormat)
    assert result.cutout_method is CutoutMethod.ALPHA
    assert [path.role for path in result.cut_paths] == [CutRole.THROUGH]
    assert result.geometry.cut_width_mm == pytest.approx(50, abs=0.01)


def test_a_plain_background_is_removed_first() -> None:
    """An orange disc on white has the same cut as the disc without background, within a pixel or so."""
    rgba = drawn(disc())
    cover = rgba[..., 3:].astype(float) / 255
    on_white = np.round(rgba[..., :3] * cover + 255 * (1 - cover)).astype(np.uint8)
    spec = resolve(StickerSpec())

    cut_out = process(png(on_white), spec)
    transparent = process(png(rgba), spec)

    assert cut_out.cutout_method is CutoutMethod.FLAT
    assert cut_out.geometry.effective_dpi == pytest.approx(transparent.geometry.effective_dpi, rel=0.01)
    assert cut_out.geometry.segments <= 24


def test_steps_are_observed_in_order_with_growing_shares() -> None:
    """The observer sees every step once, in the order the pipeline names them."""
    seen: list[tuple[str, float]] = []

    @contextmanager
    def observe(step: str, share: float) -> Iterator[None]:
        seen.append((step, share))
        yield

    process(png(drawn(disc())), resolve(StickerSpec()), observe=observe)

    assert seen == list(STEPS.items())
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] < 1


def test_an_observer_can_end_the_run() -> None:
    """What it raises comes out."""

    class StopHere(Exception):  # noqa: N818  (it is a signal of this test, not an error)
        pass

    @contextmanager
    def observe(step: str, _share: float) -> Iterator[None]:
        if step == "cut_line":
            raise StopHere
        yield

    with pytest.raises(StopHere):
        process(png(drawn(disc())), resolve(StickerSpec()), observe=observe)


def test_the_same_bytes_give_the_same_sticker() -> None:
    """Files, findings and paths of two runs are equal."""
    data, spec = png(drawn(star())), resolve(StickerSpec(border_mm=0.0))

    assert process(data, spec) == process(data, spec)


def test_limits_are_held() -> None:
    """Artwork over the pixel limit is refused by name before anything else."""
    with pytest.raises(ArtworkError) as refused:
        process(png(drawn(disc())), resolve(StickerSpec()), limits=ArtworkLimits(max_pixels=1000))

    assert refused.value.reason is Reason.ARTWORK_TOO_LARGE


def test_a_fully_transparent_png_has_no_subject() -> None:
    """Nothing to cut is an error of its own."""
    with pytest.raises(ArtworkError) as refused:
        process(png(np.zeros((50, 50, 4), np.uint8)), resolve(StickerSpec()))

    assert refused.value.reason is Reason.NO_SUBJECT


def test_vector_art_is_rendered_for_its_final_size() -> None:
    """An SVG of 75 mm is rendered at 600 dpi of its art, and its resolution is no finding."""
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100" viewBox="0 0 100 100">'
        b'<circle cx="50" cy="50" r="50" fill="#c03020"/></svg>'
    )

    result = process(svg, resolve(StickerSpec(output_formats=(OutputFormat.CUTOUT_PNG,))))

    cutout = Image.open(io.BytesIO(next(file.data for file in result.files if file.kind is OutputFormat.CUTOUT_PNG)))
    assert max(cutout.size) == pytest.approx(69 / 25.4 * 600, abs=2)
    assert result.geometry.effective_dpi == 0
    assert {finding.code: finding.level for finding in result.findings}["RESOLUTION"] == "NOT_APPLICABLE"

"""The engine's own process: bounded in time and memory, and silent about its insides."""

from __future__ import annotations

import pytest

from cutline.cli import engine
from cutline.cli.engine import EngineDeadlineError, EngineMemoryError, run_engine
from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.sticker_spec import StickerSpec, resolve
from tests.unit.imaging.pixel_art import svg

SPEC = resolve(StickerSpec(width_mm=200.0))
HEAP = svg('<rect width="20" height="10" fill="red" opacity="0.5"/>' * 20_000)


def test_artwork_without_end_meets_the_deadline() -> None:
    """Rendering that would go on for an hour ends with the process that does it."""
    with pytest.raises(EngineDeadlineError):
        run_engine(HEAP, SPEC, None, deadline_s=2.0)


def test_artwork_that_ends_its_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renderer that gets no memory ends its process at once; the caller hears of memory and goes on."""
    monkeypatch.setattr(engine, "MEMORY_LIMIT_BYTES", 32 * 1024**2)

    with pytest.raises(EngineMemoryError):
        run_engine(svg('<circle cx="10" cy="5" r="4"/>'), SPEC, None)


def test_a_refusal_crosses_whole() -> None:
    """Reason and message of an artwork's error arrive as they were raised."""
    with pytest.raises(ArtworkError) as caught:
        run_engine(b"no picture", SPEC, None)

    assert caught.value.reason is Reason.ARTWORK_TYPE_UNSUPPORTED

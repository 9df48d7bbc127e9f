"""The dedup key: equal work has one key, different work another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from cutline.domain.dedup import reprocess_key, submit_key
from cutline.domain.sticker_spec import StickerSpec, resolve

BASE: dict[str, Any] = {
    "tenant": "acme",
    "artwork_sha256": "ab" * 32,
    "spec": resolve(StickerSpec()),
    "reference": "",
    "not_before_time": None,
}


def test_equal_work_has_one_key() -> None:
    """An explicit default and an unset field are the same work."""
    again = {**BASE, "spec": resolve(StickerSpec(border_mm=3.0, smoothing=0.5))}

    assert submit_key(**BASE) == submit_key(**again)
    assert len(submit_key(**BASE)) == 32


def test_a_colour_in_either_case_has_one_key() -> None:
    """#FF8800 and #ff8800 are the same work."""
    upper, lower = (resolve(StickerSpec(border_color=color)) for color in ("#FF8800", "#ff8800"))

    assert submit_key(**{**BASE, "spec": upper}) == submit_key(**{**BASE, "spec": lower})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tenant", "other"),
        ("artwork_sha256", "cd" * 32),
        ("spec", resolve(StickerSpec(width_mm=50))),
        ("reference", "order-7"),
        ("not_before_time", datetime(2030, 1, 1, tzinfo=UTC)),
    ],
)
def test_any_difference_makes_another_key(field: str, value: object) -> None:
    """Each part of the key counts."""
    assert submit_key(**BASE) != submit_key(**{**BASE, field: value})


def test_a_reprocess_is_never_a_submit() -> None:
    """A reprocess of a design has a key of its own, one a design."""
    first = reprocess_key(design_id=UUID(int=1), **BASE)

    assert first != submit_key(**BASE)
    assert first != reprocess_key(design_id=UUID(int=2), **BASE)

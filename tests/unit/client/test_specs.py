"""Specs from keyword arguments."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from cutline.client.specs import SpecFields, make_spec, wire_spec
from cutline.domain.sticker_spec import CutType, StickerSpec
from cutline.v1 import sticker_spec_pb2 as pb


def test_choices_may_be_given_by_name() -> None:
    """Names become the enumerations of the domain, and fields that are None are left out."""
    spec = make_spec(width_mm=60.0, cut_type="KISS_CUT", border_mm=None, output_formats=["PRINT_PDF"])
    assert spec.cut_type is CutType.KISS_CUT
    assert spec.border_mm is None
    message = wire_spec(spec, {})
    assert message is not None
    assert (message.cut_type, list(message.output_formats)) == (pb.CUT_TYPE_KISS_CUT, [pb.OUTPUT_FORMAT_PRINT_PDF])


def test_no_mockups_differs_from_all_mockups() -> None:
    """An empty list of scenes is set on the wire, an absent one is not."""
    none, every = wire_spec(None, {"mockup_scenes": []}), wire_spec(None, {"width_mm": 5.0})
    assert none is not None
    assert every is not None
    assert (none.HasField("mockups"), every.HasField("mockups")) == (True, False)


def test_nothing_given_is_no_spec() -> None:
    """Without a spec and fields none is sent, which for a reprocess keeps the design's own."""
    assert wire_spec(None, {}) is None


@pytest.mark.parametrize(
    ("spec", "fields", "error", "why"),
    [
        (None, {"width": 60.0}, TypeError, "width"),
        (None, {"cut_type": "SIDEWAYS"}, ValueError, "cut_type: 'SIDEWAYS' is not one of DIE_CUT, KISS_CUT"),
        (None, {"output_formats": ["PDF"]}, ValueError, "output_formats: 'PDF' is not one of CUTOUT_PNG"),
        (None, {"output_formats": "PRINT_PDF"}, TypeError, "output_formats: 'PRINT_PDF' is one text"),
        (None, {"mockup_scenes": "laptop"}, TypeError, "mockup_scenes: 'laptop' is one text"),
        (None, {"width_mm": "60"}, TypeError, "width_mm: '60' is of the wrong type"),
        (StickerSpec(), {"width_mm": 60.0}, TypeError, "width_mm too"),
    ],
)
def test_a_wrong_field_is_refused_here(
    spec: StickerSpec | None, fields: dict[str, object], error: type[Exception], why: str
) -> None:
    """What does not exist, is of another type or is given twice never leaves the process, and is told by its field."""
    with pytest.raises(error, match=why):
        wire_spec(spec, fields)


def test_type_checkers_know_every_field_and_choice() -> None:
    """The keyword arguments that are typed are the fields of the spec, and their names of choices are all of them."""
    hints = get_type_hints(SpecFields)
    assert set(hints) == {field.name for field in dataclasses.fields(StickerSpec)}
    for name, hint in hints.items():
        choices = [kind for kind in get_args(hint) if isinstance(kind, type) and issubclass(kind, StrEnum)]
        named = [text for kind in get_args(hint) if get_origin(kind) is Literal for text in get_args(kind)]
        assert named == [choice.value for kind in choices for choice in kind], name

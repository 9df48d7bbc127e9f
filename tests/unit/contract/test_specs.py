"""Specs cross the wire and the database unchanged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.contract.specs import (
    resolved_spec_from_json,
    spec_from_json,
    spec_from_wire,
    spec_to_json,
    spec_to_wire,
)
from cutline.contract.submits import read_spec
from cutline.domain.errors import InvalidInputError
from cutline.domain.outputs import CutoutMethod, OutputFormat
from cutline.domain.sticker_spec import LIMITS, CutType, IslandPolicy, LinerShape, StickerSpec, resolve
from cutline.v1 import sticker_spec_pb2 as pb

_NUMBERS = {
    name: st.none() | st.floats(limit.low, limit.high, exclude_min=limit.open_ends, exclude_max=limit.open_ends)
    for name, limit in LIMITS.items()
    if name not in {"width_mm", "height_mm"}
}
specs = st.builds(
    StickerSpec,
    width_mm=st.none() | st.floats(50, 1000),
    height_mm=st.none() | st.floats(50, 1000),
    cut_type=st.none() | st.sampled_from(CutType),
    island_policy=st.none() | st.sampled_from(IslandPolicy),
    liner_shape=st.none() | st.sampled_from(LinerShape),
    cutout_method=st.none() | st.sampled_from(CutoutMethod),
    inner_cuts=st.none() | st.booleans(),
    white_ink=st.none() | st.booleans(),
    remove_enclosed_background=st.none() | st.booleans(),
    border_color=st.sampled_from([None, "none", "#ff00aa"]),
    printer_preset=st.sampled_from([None, "generic", "roland"]),
    output_formats=st.none() | st.sets(st.sampled_from(OutputFormat), min_size=1).map(tuple),
    mockup_scenes=st.sampled_from([None, (), ("laptop",)]),
    **_NUMBERS,
)


@given(specs)
def test_a_spec_crosses_the_wire_and_the_database_unchanged(spec: StickerSpec) -> None:
    """Asked or resolved, by protobuf or by JSON, the same spec comes back."""
    resolved = resolve(spec)

    assert spec_from_wire(spec_to_wire(spec)) == spec
    assert spec_from_json(json.loads(json.dumps(spec_to_json(spec)))) == spec
    assert resolve(spec_from_wire(spec_to_wire(resolved))) == resolved
    assert resolved_spec_from_json(json.loads(json.dumps(spec_to_json(resolved)))) == resolved


def test_an_unknown_enum_number_is_refused_by_name() -> None:
    """A value of a later release is an error, not a silent default."""
    message = pb.StickerSpec()
    message.ParseFromString(bytes([5 << 3, 99]))  # cut_type = 99

    with pytest.raises(InvalidInputError, match=r"spec\.cut_type"):
        spec_from_wire(message)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (pb.StickerSpec(output_formats=[pb.OUTPUT_FORMAT_PRINT_PDF] * 33), r"spec\.output_formats"),
        (pb.StickerSpec(mockups=pb.MockupSelection(scenes=["laptop"] * 33)), r"spec\.mockups\.scenes"),
    ],
)
def test_a_list_of_more_entries_than_a_spec_may_have_is_refused(message: pb.StickerSpec, field: str) -> None:
    """A spec is stored as asked for, so that a list of half a million repeats is not one."""
    with pytest.raises(InvalidInputError, match=rf"{field}: 33 entries are more than 32"):
        spec_from_wire(message)


def test_what_no_release_reads_of_a_spec_is_not_remembered() -> None:
    """Specs that differ in unknown fields only are one; else a caller could fill the memory with them."""
    plain = read_spec(pb.StickerSpec(width_mm=50))
    padded = pb.StickerSpec.FromString(
        pb.StickerSpec(width_mm=50).SerializeToString() + bytes([0xFA, 0x3E, 3]) + b"pad"  # field 1007
    )

    assert read_spec(padded) is plain


def test_no_mockups_and_all_mockups_are_different_wishes() -> None:
    """Set and empty means none; not set means all."""
    none = spec_from_wire(pb.StickerSpec(mockups=pb.MockupSelection()))

    assert none.mockup_scenes == ()
    assert spec_from_wire(pb.StickerSpec()).mockup_scenes is None

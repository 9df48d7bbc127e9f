"""The sticker wanted, from keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from cutline.contract.specs import spec_to_wire, typed_fields
from cutline.domain.outputs import CutoutMethod, OutputFormat
from cutline.domain.sticker_spec import CutType, IslandPolicy, LinerShape, StickerSpec
from cutline.v1 import sticker_spec_pb2 as pb


class SpecFields(TypedDict, total=False):
    """Fields of a StickerSpec as keyword arguments; choices may be given by name."""

    width_mm: float | None
    height_mm: float | None
    border_mm: float | None
    smoothing: float | None
    cut_type: CutType | Literal["DIE_CUT", "KISS_CUT"] | None
    bleed_mm: float | None
    safe_zone_mm: float | None
    min_radius_mm: float | None
    inner_cuts: bool | None
    island_policy: IslandPolicy | Literal["BRIDGE", "HULL", "KEEP"] | None
    alpha_threshold: float | None
    border_color: str | None
    white_ink: bool | None
    liner_margin_mm: float | None
    liner_shape: LinerShape | Literal["RECTANGLE", "OFFSET"] | None
    cutout_method: CutoutMethod | Literal["AUTO", "ALPHA", "FLAT", "GRABCUT", "MODEL"] | None
    remove_enclosed_background: bool | None
    printer_preset: str | None
    output_formats: Sequence[OutputFormat | str] | None
    mockup_scenes: Sequence[str] | None


def make_spec(**fields: Any) -> StickerSpec:
    """A spec from its fields; those not given, or None, take the preset's value or the default.

    Choices may be given by name: `cut_type="KISS_CUT"`, `output_formats=["PRINT_PDF"]`.

    Raises:
        TypeError: A field does not exist.
        ValueError: A choice has no such name.
    """
    return StickerSpec(**typed_fields({name: value for name, value in fields.items() if value is not None}))


def wire_spec(spec: StickerSpec | pb.StickerSpec | None, fields: Mapping[str, Any]) -> pb.StickerSpec | None:
    """The spec as a message, from a whole one or from fields; None where neither is given.

    Raises:
        TypeError: Both are given, or a field does not exist.
        ValueError: A choice has no such name.
    """
    if spec is not None and fields:
        message = f"a spec is given and {', '.join(fields)} too"
        raise TypeError(message)
    if isinstance(spec, pb.StickerSpec):
        return spec
    if spec is None and not fields:
        return None
    return spec_to_wire(spec or make_spec(**fields))

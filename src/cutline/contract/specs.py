"""StickerSpec on the wire <-> StickerSpec and ResolvedSpec of the domain, and both as stored JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, Final, TypeVar

from cutline.domain.errors import FieldViolation, InvalidInputError
from cutline.domain.outputs import CutoutMethod, OutputFormat
from cutline.domain.sticker_spec import CutType, IslandPolicy, LinerShape, ResolvedSpec, StickerSpec
from cutline.v1 import sticker_spec_pb2 as pb

MAX_ENTRIES: Final = 32
"""Most entries of a list in a spec: it is kept as asked for, repeats and all."""

_E = TypeVar("_E", bound=StrEnum)

# The stubs type each wire enum as a class of its own; what they share is Name and Value.
WireEnum = Any

# field -> (domain enum, wire enum, prefix of the wire names)
_ENUMS: Final[dict[str, tuple[type[StrEnum], WireEnum, str]]] = {
    "cut_type": (CutType, pb.CutType, "CUT_TYPE_"),
    "island_policy": (IslandPolicy, pb.IslandPolicy, "ISLAND_POLICY_"),
    "liner_shape": (LinerShape, pb.LinerShape, "LINER_SHAPE_"),
    "cutout_method": (CutoutMethod, pb.CutoutMethod, "CUTOUT_METHOD_"),
}
_SCALARS: Final = (
    "width_mm",
    "height_mm",
    "border_mm",
    "smoothing",
    "bleed_mm",
    "safe_zone_mm",
    "min_radius_mm",
    "inner_cuts",
    "alpha_threshold",
    "border_color",
    "white_ink",
    "liner_margin_mm",
    "remove_enclosed_background",
    "printer_preset",
)


def enum_from_wire(kind: type[_E], wire: WireEnum, prefix: str, number: int, field: str) -> _E | None:
    """A domain enum from its number on the wire; None for 0 (unspecified).

    Raises:
        InvalidInputError: The number is none this release knows.
    """
    if number == 0:
        return None
    try:
        return kind[wire.Name(number).removeprefix(prefix)]
    except (ValueError, KeyError):
        raise InvalidInputError.of_fields(FieldViolation(field, f"{number} is not a value of it")) from None


def spec_from_wire(message: pb.StickerSpec, *, field_prefix: str = "spec.") -> StickerSpec:
    """The spec as asked for.

    Raises:
        InvalidInputError: An enum has a number this release does not know, or a list too many entries.
    """
    values: dict[str, Any] = {name: getattr(message, name) for name in _SCALARS if message.HasField(name)}
    for name, (kind, wire, prefix) in _ENUMS.items():
        values[name] = enum_from_wire(kind, wire, prefix, getattr(message, name), field_prefix + name)
    for name, entries in (("output_formats", message.output_formats), ("mockups.scenes", message.mockups.scenes)):
        if len(entries) > MAX_ENTRIES:
            field, text = field_prefix + name, f"{len(entries)} entries are more than {MAX_ENTRIES}"
            raise InvalidInputError.of_fields(FieldViolation(field, text, "OUT_OF_RANGE"))
    if message.output_formats:
        field = f"{field_prefix}output_formats"
        formats = [
            enum_from_wire(OutputFormat, pb.OutputFormat, "OUTPUT_FORMAT_", number, field)
            for number in message.output_formats
        ]
        if None in formats:
            raise InvalidInputError.of_fields(FieldViolation(field, "OUTPUT_FORMAT_UNSPECIFIED is no format"))
        values["output_formats"] = tuple(formats)
    if message.HasField("mockups"):
        values["mockup_scenes"] = tuple(message.mockups.scenes)
    return StickerSpec(**values)


def spec_to_wire(spec: StickerSpec | ResolvedSpec) -> pb.StickerSpec:
    """The spec as a message; what is None stays unset.

    Raises:
        TypeError: A value is of another type than its field.
    """
    message = pb.StickerSpec()
    for name in _SCALARS:
        if (value := getattr(spec, name)) is not None:
            try:
                setattr(message, name, value)
            except TypeError:
                text = f"{name}: {value!r} is of the wrong type ({type(value).__name__})"
                raise TypeError(text) from None
    for name, (_, wire, prefix) in _ENUMS.items():
        if (value := getattr(spec, name)) is not None:
            setattr(message, name, wire.Value(prefix + value.name))
    for kind in spec.output_formats or ():
        message.output_formats.append(pb.OutputFormat.Value(f"OUTPUT_FORMAT_{kind.name}"))
    if spec.mockup_scenes is not None:
        message.mockups.SetInParent()
        message.mockups.scenes.extend(spec.mockup_scenes)
    return message


def spec_to_json(spec: StickerSpec | ResolvedSpec) -> dict[str, Any]:
    """The spec as stored in the database: field names and JSON values, what is None left out."""
    values = {field.name: getattr(spec, field.name) for field in fields(spec)}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if value is not None
    }


def typed_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a spec as the spec holds them; given are choices by name and lists of any kind.

    Raises:
        ValueError: A choice has no such name.
        TypeError: A list is one text.
    """
    typed = dict(values)
    for name, (kind, _, _) in _ENUMS.items():
        if name in typed:
            typed[name] = _chosen(kind, typed[name], name)
    for name in ("output_formats", "mockup_scenes"):
        if isinstance(typed.get(name), str):
            text = f"{name}: {typed[name]!r} is one text, not a list of them"
            raise TypeError(text)
    if "output_formats" in typed:
        typed["output_formats"] = tuple(
            _chosen(OutputFormat, value, "output_formats") for value in typed["output_formats"]
        )
    if "mockup_scenes" in typed:
        typed["mockup_scenes"] = tuple(typed["mockup_scenes"])
    return typed


def _chosen(kind: type[_E], value: Any, field: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        text = f"{field}: {value!r} is not one of {', '.join(kind)}"
        raise ValueError(text) from None


def spec_from_json(values: Mapping[str, Any]) -> StickerSpec:
    """The spec as asked for, from the database."""
    return StickerSpec(**_from_json(values))


def resolved_spec_from_json(values: Mapping[str, Any]) -> ResolvedSpec:
    """The resolved spec, from the database."""
    absent: dict[str, Any] = {"width_mm": None, "height_mm": None, "mockup_scenes": None}
    return ResolvedSpec(**{**absent, **_from_json(values)})


def _from_json(values: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(StickerSpec)}
    return typed_fields({name: value for name, value in values.items() if name in known})

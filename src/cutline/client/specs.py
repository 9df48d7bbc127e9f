"""The sticker wanted, from keyword arguments."""

from __future__ import annotations

from typing import Any, Final

from cutline.contract.specs import spec_to_wire
from cutline.domain.outputs import CutoutMethod, OutputFormat
from cutline.domain.sticker_spec import CutType, IslandPolicy, LinerShape, StickerSpec
from cutline.v1 import sticker_spec_pb2 as pb

_CHOICES: Final = {
    "cut_type": CutType,
    "island_policy": IslandPolicy,
    "liner_shape": LinerShape,
    "cutout_method": CutoutMethod,
}


def make_spec(**fields: Any) -> StickerSpec:
    """A spec from its fields; those not given, or None, take the preset's value or the default.

    Choices may be given by name: `cut_type="KISS_CUT"`, `output_formats=["PRINT_PDF"]`.

    Raises:
        TypeError: A field does not exist.
        ValueError: A choice has no such name.
    """
    values = {name: value for name, value in fields.items() if value is not None}
    for name, kind in _CHOICES.items():
        if name in values:
            values[name] = kind(values[name])
    if "output_formats" in values:
        values["output_formats"] = tuple(OutputFormat(kind) for kind in values["output_formats"])
    if "mockup_scenes" in values:
        values["mockup_scenes"] = tuple(values["mockup_scenes"])
    return StickerSpec(**values)


def wire_spec(spec: StickerSpec | pb.StickerSpec | None, fields: dict[str, Any]) -> pb.StickerSpec | None:
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

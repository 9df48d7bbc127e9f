"""The sticker wanted, from keyword arguments."""

from __future__ import annotations

from typing import Any

from cutline.contract.specs import spec_to_wire, typed_fields
from cutline.domain.sticker_spec import StickerSpec
from cutline.v1 import sticker_spec_pb2 as pb


def make_spec(**fields: Any) -> StickerSpec:
    """A spec from its fields; those not given, or None, take the preset's value or the default.

    Choices may be given by name: `cut_type="KISS_CUT"`, `output_formats=["PRINT_PDF"]`.

    Raises:
        TypeError: A field does not exist.
        ValueError: A choice has no such name.
    """
    return StickerSpec(**typed_fields({name: value for name, value in fields.items() if value is not None}))


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

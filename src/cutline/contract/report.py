"""Measures and findings as the database stores them -> as the wire says them.

The stored JSON has the field names of the domain's dataclasses, which are those of proto/cutline/v1/report.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cutline.v1 import report_pb2 as pb

_MEASURES: Final = (
    "cut_width_mm",
    "cut_height_mm",
    "art_width_mm",
    "art_height_mm",
    "effective_dpi",
    "cut_length_mm",
    "closing_radius_mm",
    "pieces",
    "holes",
    "segments",
    "shape_min_radius_mm",
)


def box_to_wire(box: Mapping[str, float]) -> pb.BoxMm:
    """A rectangle in mm."""
    return pb.BoxMm(x_mm=box["x_mm"], y_mm=box["y_mm"], width_mm=box["width_mm"], height_mm=box["height_mm"])


def geometry_to_wire(geometry: Mapping[str, Any]) -> pb.Geometry:
    """Measures of a sticker; a measure that the release which stored them did not know stays unset."""
    message = pb.Geometry(**{name: geometry[name] for name in _MEASURES if name in geometry})
    if source := geometry.get("size_source"):
        message.size_source = pb.SizeSource.Value(f"SIZE_SOURCE_{source}")
    for name in ("canvas_box", "cut_box"):
        if box := geometry.get(name):
            getattr(message, name).CopyFrom(box_to_wire(box))
    return message


def finding_to_wire(finding: Mapping[str, Any]) -> pb.Finding:
    """The result of one print-readiness check."""
    place = finding.get("place")
    return pb.Finding(
        code=finding["code"],
        level=pb.FindingLevel.Value(f"FINDING_LEVEL_{finding['level']}"),
        value=finding.get("value"),
        limit=finding.get("limit"),
        unit=finding.get("unit", ""),
        message=finding["message"],
        fix=finding.get("fix", ""),
        place=box_to_wire(place) if place else None,
    )

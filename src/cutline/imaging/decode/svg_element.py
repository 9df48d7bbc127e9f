"""One element's attributes to what counts of it: references, stretch, layers, filter work."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from cutline.imaging.decode.svg_growth import Element
from cutline.imaging.decode.svg_load import NO_WORK, primitive_work, region_canvases
from cutline.imaging.decode.svg_style import layers_of, numbers, transform_scale

_FRAGMENT: Final = re.compile(r"(?:^\s*+|url\(\s*+['\"]?\s*+)#([^'\")\s]+)")
_LAYERED: Final = frozenset({"filter", "mask", "clip-path", "opacity"})
_PLAIN: Final = frozenset({"", "none", "1", "1.0"})
_FUNCTION: Final = re.compile(
    r"\b(?:blur|drop-shadow|brightness|contrast|grayscale|hue-rotate|invert|opacity|saturate|sepia)\("
)
_SIZED: Final = frozenset({"use", "svg", "image"})


def element_of(
    name: str, attributes: Mapping[str, str], *, canvas_units: float, filter_attributes: Mapping[str, str]
) -> Element:
    """What counts of an element.

    Args:
        name: Its name without prefix.
        attributes: Its attributes.
        canvas_units: Longer side of the canvas.
        filter_attributes: Those of the filter it stands in; empty outside one.
    """
    style = attributes.get("style", "")
    in_boxes = filter_attributes.get("primitiveUnits") == "objectBoundingBox"
    work = primitive_work(name, attributes, canvas_units=canvas_units, in_boxes=in_boxes)
    own_layers = float(sum(attributes.get(key, "").strip() not in _PLAIN for key in _LAYERED))
    if work != NO_WORK:
        canvases = region_canvases(filter_attributes, canvas_units=canvas_units)
        work, own_layers = work.times(canvases), own_layers + canvases
    functions = len(_FUNCTION.findall(attributes.get("filter", ""))) + len(_FUNCTION.findall(style))
    for _ in range(functions):
        work = work.plus(primitive_work("feFlood", {}, canvas_units=canvas_units, in_boxes=False))
    return Element(
        references=[found for value in attributes.values() for found in _FRAGMENT.findall(value)],
        classes=frozenset(attributes.get("class", "").split()),
        element_id=attributes.get("id"),
        magnification=_own_magnification(name, attributes, style),
        size=_pair(attributes, "width", "height") if name in _SIZED else None,
        view=_view(attributes.get("viewBox", "")),
        own_layers=own_layers + layers_of(style),
        work=work,
        is_filter=name == "filter",
    )


def _own_magnification(name: str, attributes: Mapping[str, str], style: str) -> float:
    scale = 1.0
    for key in ("transform", "patternTransform"):
        scale *= transform_scale(attributes.get(key, ""))
    scale *= transform_scale(style)
    size, view = _pair(attributes, "width", "height"), _view(attributes.get("viewBox", ""))
    if name == "svg" and size is not None and view is not None:
        scale *= max(side / units for side, units in zip(size, view, strict=True))
    return scale


def _pair(attributes: Mapping[str, str], *keys: str) -> tuple[float, float] | None:
    found = [numbers(attributes.get(key, "")) for key in keys]
    if not all(found):
        return None
    return found[0][0], found[1][0]


def _view(text: str) -> tuple[float, float] | None:
    found = numbers(text)
    if len(found) != 4 or min(found[2:]) <= 0:
        return None
    return found[2], found[3]

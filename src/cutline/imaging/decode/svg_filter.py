"""What of an SVG may reach the renderer.

The renderer itself would open files that an <image> names, expand internal entities and follow <use> as often as
told. So it never sees the upload: the document is parsed here by expat and written anew without document type,
entities, scripts, event handlers and outside references, and its size is bounded by what it would grow to.
How long a hostile filter renders, and how much memory nested scales can still make the renderer take, is not bounded
here: that is for the deadline and the memory limit of the process that runs it.
"""

from __future__ import annotations

import base64
import binascii
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Final, NoReturn
from xml.parsers import expat

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.decode.bounds import check_pixels, refuse_as_too_large
from cutline.imaging.decode.media_type import sniff_media_type
from cutline.imaging.decode.raster import raster_size
from cutline.imaging.decode.svg_growth import MAX_DEPTH, MAX_ELEMENTS, Growth

# Illustrator declares some entities for its namespaces; anything longer or nested is an attack.
_MAX_ENTITIES: Final = 50
_MAX_ENTITY_CHARS: Final = 300
_DROPPED_ELEMENTS: Final = frozenset({"script", "foreignObject", "iframe", "audio", "video", "handler", "listener"})
_EMBEDDED_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_OUTSIDE_URL: Final = re.compile(r"url\(\s*['\"]?\s*(?!['\"]?\s*#)[^)]*\)|@import[^;]*(?:;|$)", re.IGNORECASE)
# Four digits or an exponent: shorter numbers cannot be beyond any canvas and are most of a drawing.
_LONG_NUMBER: Final = re.compile(r"(?<![#\d.])(\d{4,}(?:\.\d*)?(?:[eE]\+?\d+)?|(?:\d*\.\d+|\d+\.?)[eE]\+?\d+)")
_NUMBER: Final = re.compile(r"(\d+\.?\d*(?:[eE]\+?\d+)?|\.\d+(?:[eE]\+?\d+)?)")
# Colours and references: the d1e7 of #d1e7dd is no number.
_HASHED: Final = re.compile(r"#[\w-]+")
_MOST_CANVASES: Final = 1_000
_MOST_UNITS: Final = 10_000
_MOST_TILE: Final = 2
_FRAGMENT: Final = re.compile(r"(?:^\s*|url\(\s*['\"]?\s*)#([^'\")\s]+)")


def filter_svg(data: bytes, *, limits: ArtworkLimits, root_attributes: dict[str, str], canvas_units: float) -> str:
    """The document rewritten to its harmless part.

    Args:
        data: The SVG file.
        canvas_units: Longer side of the view box, which coordinates are measured against.
        limits: Pixel limits for the pictures embedded in it, taken together.
        root_attributes: Attributes that replace the root element's own.

    Raises:
        ArtworkError: ARTWORK_UNREADABLE for bad XML, outside references, live text or entities beyond the plain
            ones; ARTWORK_TOO_LARGE for a document that is too deep or grows too large.
    """
    rewriter = _Rewriter(limits=limits, root_attributes=root_attributes, canvas_units=canvas_units)
    parse(data, start=rewriter.start, end=rewriter.end, text=rewriter.text)
    rewriter.growth.check()
    return "".join(rewriter.written)


def parse(
    data: bytes,
    *,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
    whole: bool = True,
) -> None:
    """Runs expat over the document with entities bounded and nothing external opened.

    Raises:
        ArtworkError: ARTWORK_UNREADABLE for bad XML and for entities beyond the plain ones.
    """
    entity_names: list[str] = []

    def entity(
        name: str,
        _is_parameter: bool,  # noqa: FBT001
        value: str | None,
        _base: str | None,
        system_id: str | None,
        _public_id: str | None,
        _notation: str | None,
    ) -> None:
        entity_names.append(name)
        plain = value is not None and system_id is None and len(value) <= _MAX_ENTITY_CHARS and "&" not in value
        if not plain or len(entity_names) > _MAX_ENTITIES:
            _refuse("declares entities that are external, nested, long or many")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(data, whole)
    except expat.ExpatError as error:
        message = f"The SVG is not well-formed XML: {expat.errors.messages[error.code]} at line {error.lineno}."
        raise ArtworkError(Reason.ARTWORK_UNREADABLE, message) from error
    except (LookupError, ValueError) as error:
        raise ArtworkError(Reason.ARTWORK_UNREADABLE, "The SVG states an encoding that cannot be read.") from error


def local_name(name: str) -> str:
    """The name without its namespace prefix."""
    return name.rpartition(":")[2]


def _refuse(what: str) -> NoReturn:
    raise ArtworkError(Reason.ARTWORK_UNREADABLE, f"The SVG {what}; export it as plain SVG with everything embedded.")


@dataclass(slots=True)
class _Rewriter:
    """Collects the harmless document while expat reads the given one."""

    limits: ArtworkLimits
    root_attributes: dict[str, str]
    canvas_units: float
    written: list[str] = field(default_factory=list)
    growth: Growth = field(default_factory=Growth)
    open_elements: list[str] = field(default_factory=list)
    dropped_from_depth: int | None = None
    embedded_pixels: int = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        element = local_name(name)
        self.open_elements.append(element)
        depth = len(self.open_elements)
        if depth > MAX_DEPTH:
            refuse_as_too_large(f"SVG elements nested {depth} deep", f"{MAX_DEPTH} levels")
        if self.dropped_from_depth is not None:
            return
        if element in _DROPPED_ELEMENTS:
            self.dropped_from_depth = depth
            return
        if depth == 1:
            attributes = {key: value for key, value in attributes.items() if key not in self.root_attributes}
            attributes |= self.root_attributes
        kept = self._kept_attributes(element, attributes)
        references = [found for value in kept.values() for found in _FRAGMENT.findall(value)]
        self.growth.enter(element_id=kept.get("id"), references=references)
        if self.growth.elements > MAX_ELEMENTS:
            refuse_as_too_large(f"more than {MAX_ELEMENTS:,} SVG elements", f"{MAX_ELEMENTS:,} elements")
        self.written.append("".join([f"<{name}", *(f' {key}="{escape(value)}"' for key, value in kept.items()), ">"]))

    def end(self, name: str) -> None:
        depth = len(self.open_elements)
        self.open_elements.pop()
        if self.dropped_from_depth is None:
            self.growth.leave()
            self.written.append(f"</{name}>")
        elif depth == self.dropped_from_depth:
            self.dropped_from_depth = None

    def text(self, characters: str) -> None:
        if self.dropped_from_depth is not None or not characters.strip():
            return
        if "style" in self.open_elements[-1:]:
            self.written.append(escape(_OUTSIDE_URL.sub("", characters)))
        elif "text" in self.open_elements:
            # No fonts are loaded, whatever the machine has: letters would come out other than drawn, or not at all.
            _refuse("has live text, which looks different on every machine; convert text to paths")

    def _kept_attributes(self, element: str, attributes: dict[str, str]) -> dict[str, str]:
        kept: dict[str, str] = {}
        for key, value in attributes.items():
            name = local_name(key)
            if name.lower().startswith("on") or key in {"xml:base", "src"}:
                continue
            if name == "href" and not value.strip().startswith("#"):
                if element in {"image", "feImage"} and value.strip():
                    self._check_embedded(value)
                elif element == "a" or not value.strip():
                    continue
                else:
                    _refuse("refers to something outside itself")
                kept[key] = value
            else:
                self._check_numbers(element, key, value)
                kept[key] = _OUTSIDE_URL.sub("none", value)
        return kept

    def _check_numbers(self, element: str, key: str, value: str) -> None:
        """Refuses coordinates and pattern tiles far beyond the canvas.

        The renderer takes memory by them, for the dashes of a stroke and the pixels of a tile, and where there is none
        it ends the process.
        """
        if ":" in key or key.startswith(("xmlns", "data-")) or key in {"id", "class"}:
            return
        if element == "pattern" and key in {"width", "height"}:
            numbers, most = _NUMBER.findall(value), _MOST_TILE * self.canvas_units
        else:
            numbers = _LONG_NUMBER.findall(_HASHED.sub("", value))
            most = max(_MOST_UNITS, _MOST_CANVASES * self.canvas_units)
        for number in numbers:
            if float(number) > most:
                refuse_as_too_large(f"an SVG with {key} {number}", f"{most:.6g} on its canvas")

    def _check_embedded(self, url: str) -> None:
        """Refuses all but base64 pictures whose pixels, taken together, stay within the limits."""
        scheme, _, rest = url.strip().partition(":")
        header, _, payload = rest.partition(",")
        if scheme.lower() != "data" or not header.lower().replace(" ", "").endswith(";base64"):
            _refuse("refers to something outside itself")
        try:
            picture = base64.b64decode(urllib.parse.unquote_to_bytes(payload.encode()), validate=False)
        except binascii.Error:
            _refuse("embeds a picture that cannot be read")
        media_type = sniff_media_type(picture)
        if media_type not in _EMBEDDED_TYPES:
            _refuse("embeds something that is none of PNG, JPEG, GIF or WebP")
        width_px, height_px = raster_size(picture, media_type)
        check_pixels(width_px, height_px, self.limits)
        self.embedded_pixels += width_px * height_px
        if self.embedded_pixels > self.limits.max_pixels:
            refuse_as_too_large(
                f"pictures of {self.embedded_pixels:,} pixels embedded in the SVG", f"{self.limits.max_pixels:,} pixels"
            )

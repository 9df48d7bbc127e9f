"""What of an SVG may reach the renderer.

The renderer itself would open files that an <image> names, expand internal entities and follow <use> as often as
told. So it never sees the upload: the document is parsed here by expat and written anew without document type,
entities, scripts, event handlers and outside references, and its size is bounded by what it would grow to. What its
filters, layers and patterns would take is added up (svg_load.py). Countless large shapes on top of each other are
not: they are for the deadline and the memory limit of the process that runs this.
"""

from __future__ import annotations

import base64
import binascii
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html import escape
from typing import Final, NoReturn
from xml.parsers import expat

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.decode.bounds import check_pixels, refuse_as_too_large
from cutline.imaging.decode.media_type import sniff_media_type
from cutline.imaging.decode.raster import raster_size
from cutline.imaging.decode.svg_element import element_of
from cutline.imaging.decode.svg_growth import MAX_DEPTH, MAX_ELEMENTS, Growth
from cutline.imaging.decode.svg_load import Load
from cutline.imaging.decode.svg_style import StyleRule, numbers, style_rules

# Illustrator declares some entities for its namespaces; anything longer or nested is an attack.
_MAX_ENTITIES: Final = 50
_MAX_ENTITY_CHARS: Final = 300
_DROPPED_ELEMENTS: Final = frozenset({"script", "foreignObject", "iframe", "audio", "video", "handler", "listener"})
_EMBEDDED_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_OUTSIDE_URL: Final = re.compile(r"url\(\s*+(?!['\"]?\s*+#)[^)]*(?:\)|$)|@import[^;]*(?:;|$)", re.IGNORECASE)
# Four digits or an exponent: shorter numbers cannot be beyond any canvas and are most of a drawing.
_LONG_NUMBER: Final = re.compile(r"(?<![#\d.])(\d{4,}(?:\.\d*)?(?:[eE]\+?\d+)?|(?:\d*\.\d+|\d+\.?)[eE]\+?\d+)")
_NUMBER: Final = re.compile(r"(\d+\.?\d*(?:[eE]\+?\d+)?|\.\d+(?:[eE]\+?\d+)?)")
# Colours and references: the d1e7 of #d1e7dd is no number.
_HASHED: Final = re.compile(r"#[\w-]+")
_MOST_CANVASES: Final = 1_000
_MOST_UNITS: Final = 10_000
_MOST_TILE: Final = 2
_ROOT_OVERRIDES: Final = frozenset({"width", "height", "viewBox", "preserveAspectRatio"})
_STYLED: Final = re.compile(r"(?<![\w-])([\w-]++)\s*+:([^;{}]*+)")


@dataclass(frozen=True, slots=True)
class SafeSvg:
    """A document rewritten to its harmless part.

    Attributes:
        opening: The root element's tag up to its attributes for size, which `sized` gives it.
        rest: Everything after that tag.
        root_attributes: Those of the root element that are about size, as they were.
        load: What rendering it takes.
    """

    opening: str
    rest: str
    root_attributes: dict[str, str]
    load: Load

    def sized(self, attributes: dict[str, str]) -> str:
        """The document with these attributes on its root element."""
        written = self.root_attributes | attributes
        return "".join([self.opening, *(f' {key}="{escape(value)}"' for key, value in written.items()), ">", self.rest])


def filter_svg(data: bytes, *, limits: ArtworkLimits, canvas_units: float) -> SafeSvg:
    """The document rewritten to its harmless part.

    Args:
        data: The SVG file.
        canvas_units: Longer side of the view box, which coordinates are measured against.
        limits: Pixel limits for the pictures embedded in it, taken together.

    Raises:
        ArtworkError: ARTWORK_UNREADABLE for bad XML, outside references, live text or entities beyond the plain
            ones; ARTWORK_TOO_LARGE for a document that is too deep or grows too large.
    """
    # Only the box of what is filled bounds a tile given in shares; looking at every number of every drawing is slow.
    has_patterns = b"pattern" in data.replace(b"\0", b"")
    rewriter = _Rewriter(limits=limits, canvas_units=canvas_units, has_patterns=has_patterns)
    parse(data, start=rewriter.start, end=rewriter.end, text=rewriter.text)
    rewriter.growth.style(rewriter.rules)
    load = replace(rewriter.growth.measured(), widest_tile=rewriter.widest_tile())
    opening, *rest = rewriter.written
    return SafeSvg(opening, "".join(rest), rewriter.root_attributes, load)


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
        message = f"The SVG is not well-formed XML at line {error.lineno}; export it again."
        raise ArtworkError(Reason.ARTWORK_UNREADABLE, message) from error
    except (LookupError, ValueError) as error:
        raise ArtworkError(Reason.ARTWORK_UNREADABLE, "The SVG states an encoding that cannot be read.") from error


def local_name(name: str) -> str:
    """The name without its namespace prefix."""
    return name.rpartition(":")[2]


def _length(text: str, whole: float) -> float:
    """A length in units, or a share of a box below 1; a percentage is of `whole` where that is larger than a box."""
    found = numbers(text)
    if not found:
        return 0.0
    return found[0] / 100 * max(1.0, whole) if text.strip().endswith("%") else found[0]


def _refuse(what: str) -> NoReturn:
    raise ArtworkError(Reason.ARTWORK_UNREADABLE, f"The SVG {what}; export it as plain SVG with everything embedded.")


@dataclass(slots=True)
class _Rewriter:
    """Collects the harmless document while expat reads the given one."""

    limits: ArtworkLimits
    canvas_units: float
    root_attributes: dict[str, str] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    growth: Growth = field(default_factory=Growth)
    open_elements: list[str] = field(default_factory=list)
    dropped_from_depth: int | None = None
    embedded_pixels: int = 0
    filter_attributes: dict[str, str] = field(default_factory=dict)
    style_text: list[str] = field(default_factory=list)
    rules: list[StyleRule] = field(default_factory=list)
    tiles: list[tuple[float, bool]] = field(default_factory=list)
    has_patterns: bool = False
    farthest: float = 0.0

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
        kept = self._kept_attributes(element, attributes)
        self._count(element, kept, is_root=depth == 1)
        if depth == 1:
            self.root_attributes = {key: value for key, value in kept.items() if key in _ROOT_OVERRIDES}
            kept = {key: value for key, value in kept.items() if key not in _ROOT_OVERRIDES}
        tag = "".join([f"<{name}", *(f' {key}="{escape(value)}"' for key, value in kept.items())])
        self.written.append(tag if depth == 1 else f"{tag}>")

    def _count(self, element: str, kept: dict[str, str], *, is_root: bool) -> None:
        if element == "filter":
            self.filter_attributes = kept
        counted = {key: value for key, value in kept.items() if key != "viewBox"} if is_root else kept
        self.growth.enter(
            element_of(element, counted, canvas_units=self.canvas_units, filter_attributes=self.filter_attributes)
        )
        if self.growth.elements > MAX_ELEMENTS:
            refuse_as_too_large(f"more than {MAX_ELEMENTS:,} SVG elements", f"{MAX_ELEMENTS:,} elements")
        if element == "pattern":
            sides = [_length(kept.get(key, ""), self.canvas_units) for key in ("width", "height")]
            self.tiles.append((max(sides), kept.get("patternUnits") == "userSpaceOnUse"))

    def widest_tile(self) -> float:
        """Longer side of the largest pattern tile in units; a share of a box is one of the largest there can be."""
        box = max(self.canvas_units, self.farthest)
        return max((side if in_units else side * box for side, in_units in self.tiles), default=0.0)

    def end(self, name: str) -> None:
        depth = len(self.open_elements)
        self.open_elements.pop()
        if self.dropped_from_depth is None:
            if local_name(name) == "style":
                self._end_style()
            if local_name(name) == "filter":
                self.filter_attributes = {}
            self.growth.leave()
            self.written.append(f"</{name}>")
        elif depth == self.dropped_from_depth:
            self.dropped_from_depth = None

    def text(self, characters: str) -> None:
        if self.dropped_from_depth is not None or not characters.strip():
            return
        if "style" in self.open_elements[-1:]:
            self.style_text.append(characters)  # it comes in parts, and an address may lie across two of them
        elif "text" in self.open_elements:
            # No fonts are loaded, whatever the machine has: letters would come out other than drawn, or not at all.
            _refuse("has live text, which looks different on every machine; convert text to paths")

    def _end_style(self) -> None:
        sheet = _OUTSIDE_URL.sub("", "".join(self.style_text))
        self.style_text.clear()
        for name, value in _STYLED.findall(sheet):
            self._check_numbers("style", name, value)
        self.rules.extend(style_rules(sheet))
        self.written.append(escape(sheet))

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
        most = max(_MOST_UNITS, _MOST_CANVASES * self.canvas_units)
        if element == "pattern" and key in {"width", "height"}:
            shares = value.strip().endswith("%")
            found, most = _NUMBER.findall(value), _MOST_TILE * (100 if shares else self.canvas_units)
        elif self.has_patterns:
            found = _NUMBER.findall(_HASHED.sub("", value))
            self.farthest = max([self.farthest, *(min(float(number), most) for number in found)])
        else:
            found = _LONG_NUMBER.findall(_HASHED.sub("", value))
        for number in found:
            if float(number) > most:
                refuse_as_too_large(f"an SVG with {key[:40]} {float(number):.6g}", f"{most:.6g} on its canvas")

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

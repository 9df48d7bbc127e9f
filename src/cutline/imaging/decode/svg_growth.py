"""How large an SVG grows when its references are followed: <use>, patterns, masks, markers, filters.

A page of text can ask for billions of elements by referring to groups of references, and for hours of filtering by
referring to one filter. This counts both without following each reference: what an element asks for is known once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cutline.imaging.decode.bounds import refuse_as_too_large
from cutline.imaging.decode.svg_load import NO_WORK, Load, Work
from cutline.imaging.decode.svg_style import StyleRule

MAX_DEPTH: Final = 200
MAX_ELEMENTS: Final = 200_000
_MAX_GROWN_ELEMENTS: Final = 1_000_000


@dataclass(slots=True)
class Element:
    """What counts of an element.

    Attributes:
        references: Ids it refers to.
        classes: Its classes, which stylesheets select by.
        element_id: Its id.
        magnification: How many times larger its own transform draws what is inside.
        size: Width and height it gives to what it refers to, in its units; None where it states none.
        view: Width and height of the view box that is fitted into such a size.
        own_layers: Canvases the renderer keeps for it, beside those of what is inside.
        work: What it asks of the renderer itself, as the primitive of a filter.
        is_filter: Whether it holds such primitives, whose results are all kept until the last is done.
    """

    references: list[str] = field(default_factory=list)
    classes: frozenset[str] = frozenset()
    element_id: str | None = None
    magnification: float = 1.0
    size: tuple[float, float] | None = None
    view: tuple[float, float] | None = None
    own_layers: float = 0.0
    work: Work = NO_WORK
    is_filter: bool = False
    children: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Grown:
    """An element with all it holds and refers to."""

    elements: int = 0
    height: int = 0
    magnification: float = 1.0
    layers: float = 0.0
    work: Work = NO_WORK


@dataclass(slots=True)
class Growth:
    """The element tree with the references between its parts."""

    nodes: list[Element] = field(default_factory=list)
    by_id: dict[str, int] = field(default_factory=dict)
    path: list[int] = field(default_factory=list)

    @property
    def elements(self) -> int:
        """Elements seen so far."""
        return len(self.nodes)

    def enter(self, element: Element) -> None:
        """Opens an element."""
        index = len(self.nodes)
        self.nodes.append(element)
        if self.path:
            self.nodes[self.path[-1]].children.append(index)
        if element.element_id is not None:
            self.by_id.setdefault(element.element_id, index)
        self.path.append(index)

    def leave(self) -> None:
        """Closes the element opened last."""
        self.path.pop()

    def style(self, rules: list[StyleRule]) -> None:
        """Gives every element what stylesheets say of it; a selector that is not understood selects all."""
        for rule in rules:
            for element in self.nodes:
                if rule.may_select(element.classes, element.element_id):
                    element.references = [*element.references, *rule.references]
                    element.magnification *= rule.magnification
                    element.own_layers += rule.layers

    def measured(self) -> Load:
        """What the whole document asks of the renderer.

        Raises:
            ArtworkError: ARTWORK_TOO_LARGE for a document that grows too large or too deep.
        """
        if not self.nodes:
            return Load(NO_WORK, 1.0, 0.0)
        whole = self._measure(0, 1, {})
        return Load(whole.work, whole.magnification, whole.layers)

    def _measure(self, index: int, depth: int, known: dict[int, _Grown]) -> _Grown:
        """An element with all it refers to; a reference to itself counts nothing."""
        if depth > MAX_DEPTH or depth + known.get(index, _Grown()).height > MAX_DEPTH:
            refuse_as_too_large("SVG references that lead too deep", f"{MAX_DEPTH} levels")
        if index in known:
            return known[index]
        known[index] = _Grown()
        node = self.nodes[index]
        elements, height, magnification, layers, work = 1, 1, 1.0, 0.0, node.work
        targets = [self.by_id[name] for name in node.references if name in self.by_id]
        for target in node.children + targets:
            inner = self._measure(target, depth + 1, known)
            elements += inner.elements
            height = max(height, inner.height + 1)
            magnification = max(magnification, inner.magnification * _fitted(node, self.nodes[target]))
            layers = layers + inner.layers if node.is_filter else max(layers, inner.layers)
            work = work.plus(inner.work)
            if elements > _MAX_GROWN_ELEMENTS:
                refuse_as_too_large(
                    "an SVG whose references repeat it beyond measure", f"{_MAX_GROWN_ELEMENTS:,} elements"
                )
        known[index] = _Grown(elements, height, magnification * node.magnification, layers + node.own_layers, work)
        return known[index]


def _fitted(referring: Element, target: Element) -> float:
    """How many times larger a view box is drawn where a size is given for it."""
    if referring.size is None or target.view is None:
        return 1.0
    return max(side / units for side, units in zip(referring.size, target.view, strict=True))

"""How large an SVG grows when its references are followed: <use>, patterns, masks, markers.

A page of text can ask for billions of elements by referring to groups of references. This counts them without
following each: an element's weight is known once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cutline.imaging.decode.bounds import refuse_as_too_large

MAX_DEPTH: Final = 200
MAX_ELEMENTS: Final = 200_000
_MAX_GROWN_ELEMENTS: Final = 1_000_000


@dataclass(slots=True)
class _Node:
    children: list[int] = field(default_factory=list)
    references: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Growth:
    """The element tree with the references between its parts."""

    nodes: list[_Node] = field(default_factory=list)
    by_id: dict[str, int] = field(default_factory=dict)
    path: list[int] = field(default_factory=list)

    @property
    def elements(self) -> int:
        """Elements seen so far."""
        return len(self.nodes)

    def enter(self, *, element_id: str | None, references: list[str]) -> None:
        """Opens an element."""
        index = len(self.nodes)
        self.nodes.append(_Node(references=references))
        if self.path:
            self.nodes[self.path[-1]].children.append(index)
        if element_id is not None:
            self.by_id.setdefault(element_id, index)
        self.path.append(index)

    def leave(self) -> None:
        """Closes the element opened last."""
        self.path.pop()

    def check(self) -> None:
        """Refuses a document that grows too large or too deep.

        Raises:
            ArtworkError: ARTWORK_TOO_LARGE.
        """
        measured: dict[int, tuple[int, int]] = {}
        if self.nodes:
            self._measure(0, 1, measured)

    def _measure(self, index: int, depth: int, measured: dict[int, tuple[int, int]]) -> tuple[int, int]:
        """Weight and height of an element with all it refers to; a reference to itself counts nothing."""
        if depth > MAX_DEPTH:
            refuse_as_too_large("SVG references that lead too deep", f"{MAX_DEPTH} levels")
        if index in measured:
            weight, height = measured[index]
            if depth + height > MAX_DEPTH:
                refuse_as_too_large("SVG references that lead too deep", f"{MAX_DEPTH} levels")
            return weight, height
        measured[index] = (0, 0)
        node = self.nodes[index]
        weight, height = 1, 1
        targets = [self.by_id[name] for name in node.references if name in self.by_id]
        for target in node.children + targets:
            target_weight, target_height = self._measure(target, depth + 1, measured)
            weight += target_weight
            height = max(height, target_height + 1)
        if weight > _MAX_GROWN_ELEMENTS:
            refuse_as_too_large("an SVG whose references repeat it beyond measure", f"{_MAX_GROWN_ELEMENTS:,} elements")
        measured[index] = (weight, height)
        return weight, height

"""An environment that remembers what it was asked for: what is given and never asked for is a slip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Asked(dict[str, str]):
    """Variables by name.

    Attributes:
        names: Those that were asked for, found or not.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        """As of any mapping."""
        self.names.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        """As of any mapping."""
        self.names.add(key)
        return super().__getitem__(key)

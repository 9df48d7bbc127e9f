"""Printer presets: what a shop or RIP expects, as data in presets/*.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class PrinterPreset:
    """What one shop or RIP expects of a print file.

    Attributes:
        id: Name in a spec.
        title: Name for people.
        through_spot: Spot colour of the cut through sticker and liner.
        kiss_spot: Spot colour of the cut through the sticker only.
        white_spot: Spot colour of white ink.
        overprint: Whether the cut stroke overprints.
        stroke_pt: Width of the cut stroke in points.
        bleed_mm: Bleed, where the shop wants its own.
        safe_zone_mm: Safe zone, where the shop wants its own.
        min_radius_mm: Smallest corner radius, where the shop wants its own.
    """

    id: str
    title: str
    through_spot: str
    kiss_spot: str
    white_spot: str = "White"
    overprint: bool = True
    stroke_pt: float = 0.25
    bleed_mm: float | None = None
    safe_zone_mm: float | None = None
    min_radius_mm: float | None = None

    def spec_values(self) -> dict[str, object]:
        """The spec fields this preset decides."""
        values = {
            "bleed_mm": self.bleed_mm,
            "safe_zone_mm": self.safe_zone_mm,
            "min_radius_mm": self.min_radius_mm,
        }
        return {name: value for name, value in values.items() if value is not None}


@cache
def _presets() -> dict[str, PrinterPreset]:
    found = {}
    folder = resources.files("cutline.domain") / "presets"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            name = file.name.removesuffix(".toml")
            found[name] = PrinterPreset(id=name, **tomllib.loads(file.read_text("utf-8")))
    return found


def printer_preset_ids() -> tuple[str, ...]:
    """Every preset's id, sorted."""
    return tuple(_presets())


def printer_preset(preset_id: str) -> PrinterPreset:
    """The preset of that id.

    Raises:
        KeyError: There is none.
    """
    return _presets()[preset_id]

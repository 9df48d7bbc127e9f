"""What sticker is wanted: the spec as asked, its limits, and the spec after preset and defaults."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Final

from cutline.domain.errors import FieldViolation, InvalidInputError
from cutline.domain.outputs import CutoutMethod, OutputFormat
from cutline.domain.presets import PrinterPreset, printer_preset, printer_preset_ids

DEFAULT_LONGER_SIDE_MM: Final = 75.0
MIN_ART_SIDE_MM: Final = 5.0
"""Least finished side after the border on both sides is taken off."""

_ROUNDING_MM: Final = 1e-9
"""What subtracting decimals in binary may be off by: 8.2 less twice 1.6 is a hair under 5."""

_COLOR = re.compile(r"#[0-9a-f]{6}|none", re.ASCII | re.IGNORECASE)
_SCENE = re.compile(r"[a-z0-9-]{1,63}")


class CutType(StrEnum):
    """How deep the cut goes."""

    DIE_CUT = "DIE_CUT"
    KISS_CUT = "KISS_CUT"


class IslandPolicy(StrEnum):
    """What happens to art in several separate pieces."""

    BRIDGE = "BRIDGE"
    HULL = "HULL"
    KEEP = "KEEP"


class LinerShape(StrEnum):
    """Shape of the liner around a kiss-cut sticker."""

    RECTANGLE = "RECTANGLE"
    OFFSET = "OFFSET"


@dataclass(frozen=True, slots=True)
class Limit:
    """The range a number may lie in, ends included unless `open_ends`."""

    low: float
    high: float
    unit: str = "mm"
    open_ends: bool = False

    def holds(self, value: float) -> bool:
        """Whether `value` is a finite number within the range."""
        if not math.isfinite(value):
            return False
        if self.open_ends:
            return self.low < value < self.high
        return self.low <= value <= self.high

    def __str__(self) -> str:
        """The range in words, as an error shows it."""
        unit = f" {self.unit}" if self.unit else ""
        if self.open_ends:
            return f"above {self.low:g} and below {self.high:g}{unit}"
        return f"{self.low:g} to {self.high:g}{unit}"


LIMITS: Final[dict[str, Limit]] = {
    "width_mm": Limit(5, 1000),
    "height_mm": Limit(5, 1000),
    "border_mm": Limit(-5, 20),
    "smoothing": Limit(0, 1, ""),
    "bleed_mm": Limit(0, 10),
    "safe_zone_mm": Limit(0, 10),
    "min_radius_mm": Limit(0, 10),
    "alpha_threshold": Limit(0, 1, "", open_ends=True),
    "liner_margin_mm": Limit(1, 50),
}
"""Rule 1 of the print rules (docs/print-readiness.md)."""


@dataclass(frozen=True, slots=True)
class StickerSpec:
    """The sticker as asked for; None takes the preset's value, else the default."""

    width_mm: float | None = None
    height_mm: float | None = None
    border_mm: float | None = None
    smoothing: float | None = None
    cut_type: CutType | None = None
    bleed_mm: float | None = None
    safe_zone_mm: float | None = None
    min_radius_mm: float | None = None
    inner_cuts: bool | None = None
    island_policy: IslandPolicy | None = None
    alpha_threshold: float | None = None
    border_color: str | None = None
    white_ink: bool | None = None
    liner_margin_mm: float | None = None
    liner_shape: LinerShape | None = None
    cutout_method: CutoutMethod | None = None
    remove_enclosed_background: bool | None = None
    printer_preset: str | None = None
    output_formats: tuple[OutputFormat, ...] | None = None
    mockup_scenes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ResolvedSpec:
    """The sticker after preset and defaults; only sizes that follow from the artwork may be None.

    With both sizes None the longer side is DEFAULT_LONGER_SIDE_MM. `mockup_scenes` None means every built-in scene.
    """

    width_mm: float | None
    height_mm: float | None
    border_mm: float
    smoothing: float
    cut_type: CutType
    bleed_mm: float
    safe_zone_mm: float
    min_radius_mm: float
    inner_cuts: bool
    island_policy: IslandPolicy
    alpha_threshold: float
    border_color: str
    white_ink: bool
    liner_margin_mm: float
    liner_shape: LinerShape
    cutout_method: CutoutMethod
    remove_enclosed_background: bool
    printer_preset: str
    output_formats: tuple[OutputFormat, ...]
    mockup_scenes: tuple[str, ...] | None

    @property
    def preset(self) -> PrinterPreset:
        """The printer preset named by this spec."""
        return printer_preset(self.printer_preset)

    def canonical(self) -> dict[str, object]:
        """The spec as JSON-ready values: equal specs give equal dicts, field by field."""
        return asdict(self)


_DEFAULTS: Final[dict[str, object]] = {
    "border_mm": 3.0,
    "smoothing": 0.5,
    "cut_type": CutType.DIE_CUT,
    "bleed_mm": 2.0,
    "safe_zone_mm": 2.0,
    "min_radius_mm": 1.0,
    "inner_cuts": False,
    "island_policy": IslandPolicy.BRIDGE,
    "alpha_threshold": 0.5,
    "border_color": "#ffffff",
    "white_ink": False,
    "liner_margin_mm": 3.0,
    "liner_shape": LinerShape.RECTANGLE,
    "cutout_method": CutoutMethod.AUTO,
    "remove_enclosed_background": False,
    "printer_preset": "generic",
    "output_formats": tuple(OutputFormat),
}
# The cutout and the report are what the mockup stage reads.
_ALWAYS_MADE: Final = frozenset({OutputFormat.CUTOUT_PNG, OutputFormat.REPORT_JSON})


def resolve(spec: StickerSpec, *, field_prefix: str = "spec.") -> ResolvedSpec:
    """Applies precedence: explicit, then preset, then default.

    Args:
        spec: The spec as asked.
        field_prefix: What to put before a field's name in errors.

    Raises:
        InvalidInputError: A value lies outside its limit; every such field is named.
    """
    violations = list(_violations(spec, field_prefix))
    if violations:
        raise InvalidInputError.of_fields(*violations)
    values = dict(_DEFAULTS)
    values.update(printer_preset(spec.printer_preset or "generic").spec_values())
    asked = {field.name: getattr(spec, field.name) for field in fields(spec)}
    values.update({name: value for name, value in asked.items() if value is not None})
    for name in LIMITS:
        if isinstance(value := values.get(name), int | float):
            values[name] = float(value) + 0.0  # -0.0 and 0 are the same wish
    formats = set(values["output_formats"]) | _ALWAYS_MADE  # type: ignore[call-overload]
    values["output_formats"] = tuple(kind for kind in OutputFormat if kind in formats)
    values["border_color"] = str(values["border_color"]).lower()
    if (scenes := values.get("mockup_scenes")) is not None:
        values["mockup_scenes"] = tuple(dict.fromkeys(scenes))  # type: ignore[call-overload]
    values.setdefault("width_mm", None)
    values.setdefault("height_mm", None)
    values.setdefault("mockup_scenes", None)
    resolved = ResolvedSpec(**values)  # type: ignore[arg-type]
    violations = list(_conflicts(resolved, field_prefix))
    if violations:
        raise InvalidInputError.of_fields(*violations)
    return resolved


def _violations(spec: StickerSpec, prefix: str) -> list[FieldViolation]:
    found = []
    for name, limit in LIMITS.items():
        value = getattr(spec, name)
        if value is not None and not limit.holds(value):
            found.append(FieldViolation(prefix + name, f"{_shown(value)} is not {limit}", "OUT_OF_RANGE"))
    if spec.border_color is not None and not _COLOR.fullmatch(spec.border_color):
        found.append(
            FieldViolation(
                f"{prefix}border_color",
                f"{spec.border_color[:40]!r} is not #rrggbb or none",
            )
        )
    if spec.printer_preset is not None and spec.printer_preset not in printer_preset_ids():
        known = ", ".join(printer_preset_ids())
        found.append(FieldViolation(f"{prefix}printer_preset", f"{spec.printer_preset[:40]!r} is not one of {known}"))
    found.extend(
        FieldViolation(f"{prefix}mockups.scenes", f"{scene[:40]!r} is not a scene id")
        for scene in spec.mockup_scenes or ()
        if not _SCENE.fullmatch(scene)
    )
    return found


def _shown(value: float) -> str:
    """The value in few digits, or in all where rounding would show it as one that is allowed."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _conflicts(spec: ResolvedSpec, prefix: str) -> list[FieldViolation]:
    found = []
    for name in ("width_mm", "height_mm"):
        side = getattr(spec, name)
        if side is not None and side - 2 * spec.border_mm < MIN_ART_SIDE_MM - _ROUNDING_MM:
            found.append(
                FieldViolation(
                    prefix + name,
                    f"{_shown(side)} leaves {side - 2 * spec.border_mm:g} mm for the art inside a border of"
                    f" {spec.border_mm:g} mm; at least {MIN_ART_SIDE_MM:g} mm must remain",
                    "OUT_OF_RANGE",
                )
            )
    preset = spec.preset
    if spec.cut_type is CutType.KISS_CUT and preset.through_spot == preset.kiss_spot:
        found.append(
            FieldViolation(
                f"{prefix}printer_preset",
                f"{preset.id!r} has one spot colour for both cuts and cannot be used for KISS_CUT",
            )
        )
    return found

"""Every field of the sticker spec as an option, declared once for all commands that take a spec."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import typer

from cutline.client.specs import make_spec
from cutline.domain.outputs import CutoutMethod, OutputFormat
from cutline.domain.presets import printer_preset_ids
from cutline.domain.scenes import SCENE_IDS
from cutline.domain.sticker_spec import LIMITS, CutType, IslandPolicy, LinerShape, StickerSpec

_R = TypeVar("_R")

_PANEL: Final = "The sticker"
_NUMBERS: Final = {
    "width_mm": "Finished width of the cut line's bounding box in mm.",
    "height_mm": "Finished height in mm; with neither size the longer side is 75 mm.",
    "border_mm": "Border between art and cut line in mm; 0 or less is full bleed; default 3.",
    "smoothing": "How much concave corners are filled; default 0.5.",
    "bleed_mm": "Print beyond the cut line in mm; default 2.",
    "safe_zone_mm": "Distance inside the cut line that art should keep, in mm; default 2.",
    "min_radius_mm": "Smallest radius of the cut line in mm; default 1.",
    "alpha_threshold": "Alpha from which a pixel counts as art; default 0.5.",
    "liner_margin_mm": "Liner around a kiss-cut sticker in mm; default 3.",
}
_FLAGS: Final = {
    "inner_cuts": "Cut out holes in the art too.",
    "white_ink": "Write white ink as a separation of its own.",
    "remove_enclosed_background": "Remove background that the art encloses too.",
}
_CHOICES: Final[dict[str, tuple[Any, str]]] = {
    "cut_type": (CutType, "Through, or face only; default DIE_CUT."),
    "island_policy": (IslandPolicy, "What happens to art in several pieces; default BRIDGE."),
    "liner_shape": (LinerShape, "Shape of a kiss-cut sticker's liner; default RECTANGLE."),
    "cutout_method": (CutoutMethod, "How the background is removed; default AUTO."),
}
_TEXTS: Final = {
    "border_color": "Border colour as #rrggbb, or none for bare material; default #ffffff.",
    "printer_preset": f"Printer preset: {', '.join(printer_preset_ids())}; default generic.",
}

_FORMAT_HELP: Final = (
    "File to make besides cutout_png and report_json, which are made always; repeat for more; default all."
)


def _presets() -> list[str]:
    """What a shell is offered for a printer preset."""
    return list(printer_preset_ids())


def _scenes() -> list[str]:
    """What a shell is offered for a scene."""
    return list(SCENE_IDS)


_OFFERED: Final[dict[str, Callable[[], list[str]]]] = {"printer_preset": _presets, "mockup_scenes": _scenes}


def _option(name: str, kind: Any, text: str, *declarations: str) -> inspect.Parameter:
    option = typer.Option(
        *declarations,
        help=text,
        rich_help_panel=_PANEL,
        show_default=False,
        case_sensitive=False,
        autocompletion=_OFFERED.get(name),
    )
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _range(name: str) -> str:
    return f"From {LIMITS[name]}." if not LIMITS[name].open_ends else f"{str(LIMITS[name]).capitalize()}."


def _parameters() -> list[inspect.Parameter]:
    dashed = {name: f"--{name.replace('_', '-')}" for name in (*_NUMBERS, *_FLAGS, *_CHOICES, *_TEXTS)}
    return [
        *(_option(name, float | None, f"{text} {_range(name)}", dashed[name]) for name, text in _NUMBERS.items()),
        *(_option(name, kind | None, text, dashed[name]) for name, (kind, text) in _CHOICES.items()),
        *(
            _option(name, bool | None, text, f"{dashed[name]}/--no-{name.replace('_', '-')}")
            for name, text in _FLAGS.items()
        ),
        *(_option(name, str | None, text, dashed[name]) for name, text in _TEXTS.items()),
        _option("output_formats", list[OutputFormat] | None, _FORMAT_HELP, "--format"),
    ]


def _mockup_parameters() -> list[inspect.Parameter]:
    return [
        _option(
            "mockup_scenes",
            list[str] | None,
            f"Mockup scene to render: {', '.join(SCENE_IDS)}; repeat for more; default all.",
            "--scene",
        ),
        _option("no_mockups", bool | None, "Render no mockups.", "--no-mockups"),
    ]


def with_spec(command: Callable[..., _R]) -> Callable[..., _R]:
    """Gives a command an option for each field of the spec, in place of its parameter `spec`."""
    return _with_options(command, _parameters() + _mockup_parameters())


def with_spec_but_mockups(command: Callable[..., _R]) -> Callable[..., _R]:
    """The same without the options about mockups, for a command that renders none."""
    return _with_options(command, _parameters())


def _with_options(command: Callable[..., _R], added: list[inspect.Parameter]) -> Callable[..., _R]:
    names = {parameter.name for parameter in added}
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "spec"]

    @functools.wraps(command)
    def wrapped(**values: Any) -> _R:
        fields = {name: values.pop(name) for name in names}
        return command(spec=_spec(**fields), **values)

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + added
    vars(wrapped)["__signature__"] = signature.replace(parameters=parameters)
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


def _spec(*, no_mockups: bool | None = None, mockup_scenes: list[str] | None = None, **fields: Any) -> StickerSpec:
    if no_mockups and mockup_scenes:
        message = "--no-mockups and --scene exclude each other"
        raise typer.BadParameter(message)
    fields["mockup_scenes"] = () if no_mockups else mockup_scenes or None
    fields["output_formats"] = fields["output_formats"] or None
    return make_spec(**fields)

"""Options and arguments that several commands take."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from cutline.cli.printing import OutputStyle
from cutline.domain.errors import Reason

_R = TypeVar("_R")

TIME_FORMATS: Final = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]

DesignId = Annotated[str, typer.Argument(metavar="DESIGN", help="Id of the design.", show_default=False)]
DesignIds = Annotated[list[str], typer.Argument(metavar="DESIGN", help="Ids of designs.", show_default=False)]
Output = Annotated[
    OutputStyle, typer.Option(help="How to print: ndjson is a line of JSON for each, as soon as it is known.")
]


# What designs and jobs fail for; the other reasons are those of refused calls.
_FAILURES: Final = (
    *(Reason.ARTWORK_EMPTY, Reason.ARTWORK_TOO_LARGE, Reason.ARTWORK_UNREADABLE, Reason.ARTWORK_TYPE_UNSUPPORTED),
    *(Reason.NO_SUBJECT, Reason.MODEL_UNAVAILABLE, Reason.SIZE_IMPOSSIBLE, Reason.CUT_LINE_IMPOSSIBLE),
    *(Reason.ATTEMPTS_EXHAUSTED, Reason.WORKER_CRASHED, Reason.DEADLINE_HARD, Reason.MEMORY_LIMIT),
    *(Reason.MESSAGE_UNREADABLE, Reason.INTERNAL),
)


def _failures() -> list[str]:
    """What a shell is offered."""
    return [reason.value for reason in _FAILURES]


ReasonOption = Annotated[
    str,
    typer.Option(
        help="Only with this reason of failure, such as NO_SUBJECT or WORKER_CRASHED.",
        autocompletion=_failures,
    ),
]
Before = Annotated[
    datetime | None, typer.Option(formats=TIME_FORMATS, help="Only from before this time (UTC).", show_default=False)
]


class LaneName(StrEnum):
    """How urgent the work is."""

    EXPRESS = "express"
    STANDARD = "standard"
    BULK = "bulk"


def folder(text: str) -> Path:
    """A folder's name; an empty one, as of a variable that is not set, would be the folder one happens to be in.

    Raises:
        typer.BadParameter: It is empty.
    """
    if not text:
        message = "is empty; . is the current folder"
        raise typer.BadParameter(message)
    return Path(text)


def parse_labels(texts: list[str]) -> dict[str, str]:
    """Labels from KEY=VALUE.

    Raises:
        typer.BadParameter: A text has no key or no equals sign.
    """
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            message = f"{text!r} is not KEY=VALUE"
            raise typer.BadParameter(message, param_hint="--label")
    return dict(text.split("=", 1) for text in texts)


def with_no_color(command: Callable[..., _R]) -> Callable[..., _R]:
    """Gives a command the option --no-color, so that it can stand anywhere on the line."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in signature.parameters.values()]
    option = typer.Option("--no-color", callback=_drop_color, is_eager=True, help="Print without colours.")
    added = inspect.Parameter(
        "no_color", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, option]
    )

    @functools.wraps(command)
    def wrapped(*, no_color: bool, **values: Any) -> _R:
        del no_color  # heard before
        return command(**values)

    parameters = [*own, added]
    vars(wrapped)["__signature__"] = signature.replace(parameters=parameters)
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


def _drop_color(asked: bool) -> None:
    """Says so where every console looks, those of help and wrong usage too."""
    if asked:
        os.environ["NO_COLOR"] = "1"

"""The commands and their order."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from cutline.cli import designs, queue
from cutline.cli.doctor import doctor
from cutline.cli.options import with_no_color
from cutline.cli.printing import console
from cutline.cli.process import process
from cutline.cli.submit import submit
from cutline.cli.watch import watch

app = typer.Typer(
    name="cutline",
    help="Uploaded artwork in, print-ready die-cut sticker files out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(with_no_color(submit))
app.command()(with_no_color(watch))
app.command()(with_no_color(designs.get))
app.command("list")(with_no_color(designs.list_))
app.command()(with_no_color(designs.download))
app.command()(with_no_color(designs.cancel))
app.command()(with_no_color(designs.reprocess))
app.command()(with_no_color(designs.delete))
app.command()(with_no_color(process))
app.command()(with_no_color(doctor))
app.add_typer(queue.app, name="queue")


def _print_version(asked: bool) -> None:
    if asked:
        console().print(version("cutline"))
        raise typer.Exit


@app.callback()
@with_no_color
def options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Uploaded artwork in, print-ready die-cut sticker files out."""

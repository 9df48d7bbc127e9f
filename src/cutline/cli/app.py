"""The commands and their order."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from cutline.cli import designs, queue
from cutline.cli.doctor import doctor
from cutline.cli.process import process
from cutline.cli.submit import submit

app = typer.Typer(
    name="cutline",
    help="Uploaded artwork in, print-ready die-cut sticker files out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(submit)
app.command()(designs.watch)
app.command()(designs.get)
app.command("list")(designs.list_)
app.command()(designs.download)
app.command()(designs.cancel)
app.command()(designs.reprocess)
app.command()(designs.delete)
app.command()(process)
app.command()(doctor)
app.add_typer(queue.app, name="queue")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(version("cutline"))
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Uploaded artwork in, print-ready die-cut sticker files out."""

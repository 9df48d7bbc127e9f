"""How designs look on a terminal, and as JSON for programs. Results go to standard output, all else to the other."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cutline.client import state_name
from cutline.v1 import design_pb2, report_pb2, sticker_spec_pb2

STATE_STYLES = {"READY": "green", "FAILED": "red", "CANCELLED": "yellow", "PROCESSING": "cyan"}
VERDICT_STYLES = {"PASS": "green", "WARN": "yellow", "FAIL": "red"}

_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of control, format and surrogate characters, and of line and paragraph separators."""


class OutputStyle(StrEnum):
    """For people, or for programs: one JSON value, or one a line, each as soon as there is something to tell."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


# Where there is no terminal there is no edge to cut a line at.
UNBOUNDED_COLUMNS = 1_000


class OutputClosedError(Exception):
    """Whoever read what is printed has gone, as `head` does when it has enough."""


class _Screen(Console):
    """A console that shows text as it is, and tells when nobody reads it any more."""

    def __init__(self, *, stderr: bool = False, width: int | None = None, soft_wrap: bool = True) -> None:
        super().__init__(stderr=stderr, width=width, soft_wrap=soft_wrap, highlight=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Called within the handling of the error."""
        raise OutputClosedError from None


def console() -> Console:
    """Standard output; made when it is used, so that a redirected stream is seen."""
    shown = _Screen()
    return shown if shown.is_terminal else _Screen(width=UNBOUNDED_COLUMNS)


def listing(*headings: str) -> Table:
    """A table without lines; an id is never cut short, for it is there to be copied."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True, min_width=36 if heading == "DESIGN" else None)
    return table


def error_console(*, soft_wrap: bool = True) -> Console:
    """The error stream: progress and complaints.

    Args:
        soft_wrap: Whether long lines are left to the terminal; what is drawn over itself must be cut instead.
    """
    return _Screen(stderr=True, soft_wrap=soft_wrap)


def can_draw(shown: Console) -> bool:
    """Whether lines can be drawn over: on a terminal that moves its cursor, not where colours are merely forced on."""
    return shown.file.isatty() and shown.is_interactive


def on_one_line(text: str) -> str:
    """The text with characters that steer a terminal or break a line, which file names may hold, as escapes."""
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _UNSHOWN else character
        for character in text
    )


def complain(message: str, shown: Console | None = None) -> None:
    """One line about what went wrong, on the error stream or on a console that draws there."""
    (shown or error_console()).print(Text.assemble(("error: ", "red"), on_one_line(message)), soft_wrap=True)


def as_dict(message: Message) -> dict[str, Any]:
    """A message as JSON values, with the field names of the contract."""
    return MessageToDict(message, preserving_proto_field_name=True)


def print_json(value: object, output: OutputStyle = OutputStyle.JSON) -> None:
    """A value as JSON: over several lines to read, or in one line to process."""
    _write_json(value, indent=None if output is OutputStyle.NDJSON else 2)


def _write_json(value: object, *, indent: int | None) -> None:
    """Writes it past the console, which would take pieces of it for its own, and hands it on at once."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:  # a narrow stream, or a file name that is no Unicode
        text = json.dumps(value, indent=indent)
    _write(text)


def print_table(table: Table) -> None:
    """A table as wide as it is: a narrow terminal folds its lines, rather than lose what they say."""
    wide = _Screen(width=UNBOUNDED_COLUMNS)
    with wide.capture() as shown:
        wide.print(table)
    _write("\n".join(line.rstrip() for line in shown.get().splitlines()))


def _write(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputClosedError from None


def value_name(kind: Any, number: int, prefix: str) -> str:
    """A value of an enum on the wire without its prefix; its number for one of a later release."""
    try:
        return str(kind.Name(number)).removeprefix(prefix)
    except ValueError:
        return str(number)


def styled_state(design: design_pb2.Design) -> Text:
    """A design's state in its colour."""
    name = state_name(design.state)
    return Text(name, STATE_STYLES.get(name, ""))


def verdict(design: design_pb2.Design) -> Text:
    """The print verdict in its colour; a dash before there is one."""
    name = value_name(report_pb2.PrintVerdict, design.print_verdict, "PRINT_VERDICT_")
    return Text("-") if name == "UNSPECIFIED" else Text(name, VERDICT_STYLES.get(name, ""))


def design_table(designs: Iterable[design_pb2.Design]) -> Table:
    """Designs, one a row."""
    table = listing("DESIGN", "STATE", "PRINT", "TITLE", "REFERENCE", "ACCEPTED")
    for design in designs:
        accepted = design.create_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(
            design.id,
            styled_state(design),
            verdict(design),
            Text(on_one_line(design.title)),
            Text(on_one_line(design.reference)),
            accepted,
        )
    return table


def print_design(design: design_pb2.Design) -> None:
    """One design in full: facts, findings, files."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _facts(design):
        facts.add_row(name, value)
    out = console()
    out.print(facts)
    if design.findings:
        out.print(_findings(design))
    if design.artifacts or design.mockups:
        out.print(_files(design))
    if design.timeline:
        print_table(_timeline(design))


def _facts(design: design_pb2.Design) -> list[tuple[str, Text]]:
    geometry = design.geometry
    facts = [
        ("id", Text(design.id)),
        ("title", Text(on_one_line(design.title))),
        ("state", styled_state(design)),
        ("progress", Text(f"{design.progress:.0%}")),
        ("revision", Text(f"{design.revision} (generation {design.generation})")),
    ]
    if design.HasField("failure"):
        facts.append(("failure", Text(on_one_line(f"{design.failure.reason}: {design.failure.message}"), "red")))
    if design.HasField("geometry"):
        method = value_name(sticker_spec_pb2.CutoutMethod, design.cutout_method, "CUTOUT_METHOD_")
        facts += [
            ("size", Text(f"{geometry.cut_width_mm:.2f} x {geometry.cut_height_mm:.2f} mm")),
            ("cutout", Text(f"{method}, confidence {design.cutout_confidence:.2f}")),
            ("print", verdict(design)),
        ]
    return facts


def _findings(design: design_pb2.Design) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("FINDING", "LEVEL", "WHAT", "MEND"):
        table.add_column(heading)
    for finding in design.findings:
        level = value_name(report_pb2.FindingLevel, finding.level, "FINDING_LEVEL_")
        if level != "NOT_APPLICABLE":
            styled = Text(level, VERDICT_STYLES.get(level, ""))
            table.add_row(finding.code, styled, Text(on_one_line(finding.message)), Text(on_one_line(finding.fix)))
    return table


def _files(design: design_pb2.Design) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("FILE", "TYPE", "BYTES"):
        table.add_column(heading, justify="right" if heading == "BYTES" else "left")
    for artifact in design.artifacts:
        kind = value_name(sticker_spec_pb2.OutputFormat, artifact.kind, "OUTPUT_FORMAT_")
        table.add_row(kind, artifact.media_type, str(artifact.size_bytes))
    for mockup in design.mockups:
        table.add_row(f"mockup {mockup.scene}", mockup.media_type, str(mockup.size_bytes))
    return table


def _timeline(design: design_pb2.Design) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("TIME (UTC)", "REVISION", "STATE", "EVENT", "ATTEMPT", "WORKER"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in {"REVISION", "ATTEMPT"} else "left")
    for entry in design.timeline:
        name = state_name(entry.state)
        table.add_row(
            entry.time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            str(entry.revision),
            Text(name, STATE_STYLES.get(name, "")),
            Text(on_one_line(entry.event)),
            str(entry.attempt or "-"),
            Text(on_one_line(entry.worker or "-")),
        )
    return table

"""How the progress of many designs looks on a terminal, and where there is none."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from cutline.cli.board import Board, drawn
from cutline.cli.printing import OutputStyle
from cutline.cli.tally import Line, Phase, Tally
from cutline.v1 import design_pb2


def picture(tally: Tally, columns: int, rows: int = 24) -> list[str]:
    """What a terminal of that size shows."""
    out = StringIO()
    shown = Console(file=out, width=columns, height=rows, force_terminal=True, color_system=None)
    shown.print(drawn(tally, 3_661.0, shown))
    return out.getvalue().splitlines()


def busy(under_way: int) -> Tally:
    """Fifty designs, some of them done and some under way."""
    tally = Tally(50)
    for number in range(10):
        tally.move(f"done-{number}", Phase.READY if number else Phase.FAILED, None)
    for number in range(under_way):
        name = f"orders/2026/an artwork with a rather long name {number:03d}"
        tally.move(name, Phase.PROCESSING, Line("PROCESSING imaging", 0.45))
    return tally


@pytest.mark.parametrize(("columns", "count_lines"), [(120, 1), (80, 1), (40, 2), (20, 5)])
def test_everything_fits_the_terminal(columns: int, count_lines: int) -> None:
    """No line is wider than the terminal, however narrow: a folded line could not be drawn over."""
    lines = picture(busy(6), columns)
    assert max(cell_len(line.rstrip()) for line in lines) <= columns
    assert len(lines) == count_lines + 1 + 6
    told = re.findall(r"([a-z]+) (\d+)", " ".join(lines[:count_lines]))
    assert told == [
        ("waiting", "34"),
        ("uploading", "0"),
        ("queued", "0"),
        ("processing", "6"),
        ("ready", "9"),
        ("failed", "1"),
    ]


@pytest.mark.parametrize("columns", [80, 40])
def test_a_line_tells_the_end_of_the_name_the_stand_and_the_share(columns: int) -> None:
    """What tells files of a folder apart is at the end of their names."""
    lines = picture(busy(2), columns)
    assert [line.split("  ")[0][-3:] for line in lines[-2:]] == ["000", "001"]
    assert all("PROCESSING" in line and line.rstrip().endswith("45%") for line in lines[-2:])
    assert "10 of 50  1:01:01" in " ".join(lines)


@pytest.mark.parametrize("rows", [24, 8, 3])
def test_more_than_the_terminal_is_high_is_counted(rows: int) -> None:
    """The lines that have no room are one line with their number."""
    lines = picture(busy(40), 80, rows)
    assert len(lines) <= max(rows, 4)
    assert lines[-1].rstrip() == f"and {40 - (len(lines) - 3)} more"


def test_wide_characters_and_hostile_names_keep_their_columns() -> None:
    """Characters two columns wide are counted as such, and those that steer a terminal are escapes."""
    tally = Tally(2)
    tally.move("図案" * 30, Phase.UPLOADING, Line("uploading", 1.0))
    tally.move("a\x1b[2Jb\n", Phase.UPLOADING, Line("uploading"))
    lines = picture(tally, 66)
    assert len(lines) == 4
    assert max(cell_len(line.rstrip()) for line in lines) <= 66
    assert "a\\x1b[2Jb\\n" in lines[-1]


def test_lines_elsewhere_are_one_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a change of stand is a line on the error stream, progress within it is none."""
    with Board(1, OutputStyle.TABLE) as board:
        board.upload("a")
        board.upload("a", 0.5)
        for progress in (0.1, 0.2):
            board.show("a", design_pb2.Design(state=design_pb2.Design.STATE_PROCESSING, progress=progress))
        board.complain("it \x1b broke")
        board.leave("a", Phase.FAILED)
        board.summarise()
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.splitlines() == ["a  uploading", "a  PROCESSING", "error: it \\x1b broke", "1 failed"]


@pytest.mark.parametrize("output", [OutputStyle.JSON, OutputStyle.NDJSON])
def test_programs_are_told_of_nothing_but_faults(output: OutputStyle, capsys: pytest.CaptureFixture[str]) -> None:
    """With JSON nothing is live, wherever the error stream goes."""
    with Board(1, output) as board:
        board.upload("a")
        board.complain("broke")
    assert capsys.readouterr().err == "error: broke\n"


def test_a_state_of_a_later_release_counts_as_processing() -> None:
    """An unknown state neither fails the command nor loses the design from the counts."""
    with Board(1, OutputStyle.JSON) as board:
        board.show("a", design_pb2.Design(state=99))  # type: ignore[arg-type]  # a value of a later contract
    assert board.tally.counts[Phase.PROCESSING] == 1

"""Shows how designs get on: a table drawn over itself on a terminal, a line for each change elsewhere, or nothing."""

from __future__ import annotations

import time
from contextlib import ExitStack
from threading import Lock
from types import TracebackType
from typing import Final, Self

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cutline.cli.printing import OutputStyle, can_draw, complain, error_console, on_one_line
from cutline.cli.tally import Line, Phase, Tally, describe, phase_of
from cutline.v1 import design_pb2

_PER_S: Final = 8
_STYLES: Final = {
    Phase.UPLOADING: "blue",
    Phase.QUEUED: "blue",
    Phase.PROCESSING: "cyan",
    Phase.READY: "green",
    Phase.FAILED: "red",
}
_STAND_COLUMNS: Final = 22
_LEAST_NAME_COLUMNS: Final = 8


class Board:
    """`with Board(total, output) as board`.

    Args:
        total: How many designs there are.
        output: How results are printed; for programs nothing is shown but complaints.
    """

    def __init__(self, total: int, output: OutputStyle) -> None:
        self.tally = Tally(total)
        self._console = error_console(soft_wrap=False)
        self._silent = output is not OutputStyle.TABLE
        self._drawn = not self._silent and can_draw(self._console)
        self._lock = Lock()  # the table is drawn in a thread of its own, also while a large file is being hashed
        self._begin_s = time.monotonic()
        self._shown = ExitStack()

    def __enter__(self) -> Self:
        if self._drawn:
            live = Live(
                get_renderable=self._draw,
                console=self._console,
                refresh_per_second=_PER_S,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._shown.enter_context(live).refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.close()

    def upload(self, name: str, share: float | None = None) -> None:
        """Shows that a file is on its way, and how much of it has left."""
        self._move(name, Phase.UPLOADING, Line("uploading", share))

    def show(self, name: str, design: design_pb2.Design) -> None:
        """Shows a design's new revision."""
        self._move(name, phase_of(design), Line(describe(design), design.progress))

    def fetch(self, name: str) -> None:
        """Shows that a design's files are being fetched."""
        self._move(name, Phase.READY, Line("downloading"))

    def leave(self, name: str, phase: Phase) -> None:
        """Takes a design off the lines."""
        self._move(name, phase, None)

    def complain(self, message: str) -> None:
        """One line about what went wrong, above the table."""
        complain(message, self._console if self._drawn else None)

    def summarise(self) -> None:
        """Tells the counts at the end, where no table shows them."""
        if not self._drawn:
            counts = [f"{self.tally.counts[phase]} {phase}" for phase in Phase if self.tally.counts[phase]]
            self._console.print(", ".join(counts), markup=False, soft_wrap=True)

    def _move(self, name: str, phase: Phase, line: Line | None) -> None:
        with self._lock:
            new = self.tally.move(name, phase, line)
        if new and line is not None and not self._silent and not self._drawn:
            self._console.print(f"{on_one_line(name)}  {line.stand}", markup=False, soft_wrap=True)

    def _draw(self) -> RenderableType:
        with self._lock:
            return drawn(self.tally, time.monotonic() - self._begin_s, self._console)


def drawn(tally: Tally, elapsed_s: float, console: Console) -> RenderableType:
    """The counts, a bar over all, and as many lines of designs under way as the console has room for."""
    width, height = console.size
    counts = _packed([_count(tally, phase) for phase in Phase], width)
    room = max(1, height - len(counts) - 3)
    lines = list(tally.lines.items())
    more = len(lines) - room
    rows = [_row(name, line, width) for name, line in lines[: room if more > 0 else None]]
    if more > 0:
        rows.append(Text(f"and {more} more", "dim"))
    return Group(*counts, _bar(tally, elapsed_s, width), *rows)


def _count(tally: Tally, phase: Phase) -> Text:
    number = tally.counts[phase]
    return Text(f"{phase} {number}", _STYLES.get(phase, "") if number else "dim")


def _packed(words: list[Text], width: int) -> list[Text]:
    """The words, two columns apart, on as few lines as they fit on."""
    lines = [words[0]]
    for word in words[1:]:
        if cell_len(lines[-1].plain) + 2 + cell_len(word.plain) <= width:
            lines[-1] = Text.assemble(lines[-1], "  ", word)
        else:
            lines.append(word)
    return lines


def _bar(tally: Tally, elapsed_s: float, width: int) -> Table:
    hours, rest = divmod(round(elapsed_s), 3_600)
    facts = f"{tally.ended} of {tally.total}  {hours}:{rest // 60:02d}:{rest % 60:02d}"
    grid = Table.grid(padding=(0, 2, 0, 0))
    bar_width = max(4, min(40, width - len(facts) - 3))
    total = max(1, tally.total)
    bar = ProgressBar(total, tally.ended, width=bar_width, complete_style="green", finished_style="green")
    grid.add_row(bar, Text(facts, no_wrap=True))
    return grid


def _row(name: str, line: Line, width: int) -> Text:
    """Name, stand and share, cut to the width; the end of a name tells most."""
    share = "" if line.share is None else f"{line.share:.0%}"
    stand = Text(line.stand)
    stand.truncate(min(_STAND_COLUMNS, max(1, width - _LEAST_NAME_COLUMNS - 7)), overflow="ellipsis", pad=True)
    room = max(1, min(width - cell_len(stand.plain) - 7, 40))
    return Text.assemble(_end_of(on_one_line(name), room), "  ", stand, f" {share:>4}", no_wrap=True)


def _end_of(text: str, width: int) -> str:
    """The text in exactly `width` columns: padded, or without its beginning."""
    if cell_len(text) > width:
        while text and cell_len(text) > width - 1:
            text = text[1:]
        text = f"…{text}"
    return text + " " * (width - cell_len(text))

"""Shows how several designs get on: bars on a terminal, a line for each change elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cutline.cli.printing import error_console
from cutline.client.designs import state_name
from cutline.v1 import design_pb2

_STAGES = {design_pb2.STAGE_IMAGING: "imaging", design_pb2.STAGE_MOCKUP: "mockup"}


def describe(design: design_pb2.Design) -> str:
    """Where a design stands, in a word or two."""
    state = state_name(design.state)
    stage = _STAGES.get(design.stage, "")
    if design.HasField("failure"):
        return f"{state} {design.failure.reason}"
    return f"{state} {stage}".rstrip()


class DesignProgress:
    """Follows designs by name: `with DesignProgress(names) as progress`."""

    def __init__(self, names: list[str]) -> None:
        self._console = error_console()
        self._names = names
        self._last: dict[str, str] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars: Progress | None = None
        if self._console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[stand]}", markup=False),
                TimeElapsedColumn(),
                console=self._console,
            )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
            self._tasks = {name: self._bars.add_task(name, total=1.0, stand="") for name in self._names}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, name: str, design: design_pb2.Design) -> None:
        """Shows a design's new revision."""
        self.say(name, describe(design), share=design.progress)

    def say(self, name: str, stand: str, *, share: float = 0.0) -> None:
        """Shows where the work of a name stands."""
        if self._bars is not None:
            self._bars.update(self._tasks[name], completed=share, stand=stand)
        elif self._last.get(name) != stand:
            self._console.print(f"{name}  {stand}", markup=False)
        self._last[name] = stand

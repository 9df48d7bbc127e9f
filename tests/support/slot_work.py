"""What tests run in the process of a slot."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.model import StepObserver

Made = tuple[Any, Sequence[bytes]]


def echo(observe: StepObserver, buffers: Sequence[bytes], value: object) -> Made:
    """Gives back what it got, in two steps."""
    with observe("first", 0.0):
        pass
    with observe("second", 0.5):
        return value, buffers


def process_id(_observe: StepObserver, _buffers: Sequence[bytes]) -> Made:
    """The child's process id."""
    return os.getpid(), []


def threads(_observe: StepObserver, _buffers: Sequence[bytes]) -> Made:
    """What native libraries are told about threads."""
    return os.environ["OMP_NUM_THREADS"], []


def settings(_observe: StepObserver, _buffers: Sequence[bytes]) -> Made:
    """The service's settings that the child can see in its environment."""
    return [name for name in os.environ if name.startswith("CUTLINE_")], []


def die(_observe: StepObserver, _buffers: Sequence[bytes]) -> NoReturn:
    """Ends the process as a fault in native code would."""
    os._exit(66)


def die_once(observe: StepObserver, buffers: Sequence[bytes], marker: str) -> Made:
    """Ends the process the first time."""
    path = Path(marker)
    if path.exists():
        return echo(observe, buffers, "second life")
    path.touch()
    os._exit(66)


def hang(_observe: StepObserver, _buffers: Sequence[bytes]) -> Made:
    """Never comes to its next step."""
    while True:
        signal.pause()


def step_forever(observe: StepObserver, _buffers: Sequence[bytes]) -> Made:
    """Takes one step after the other."""
    while True:
        with observe("again", 0.25):
            os.sched_yield()


def hold_until(observe: StepObserver, _buffers: Sequence[bytes], marker: str) -> Made:
    """Takes steps until a file appears."""
    while not Path(marker).exists():
        with observe("wait", 0.5):
            os.sched_yield()
    return "done", []


def allocate(_observe: StepObserver, _buffers: Sequence[bytes], size_bytes: int) -> Made:
    """Asks for memory and touches it."""
    import numpy as np  # noqa: PLC0415  (only this one needs it)

    return int(np.ones(size_bytes, np.uint8).sum()), []


def allocate_in_opencv(_observe: StepObserver, _buffers: Sequence[bytes], side_px: int) -> Made:
    """Has OpenCV ask for memory."""
    import cv2  # noqa: PLC0415  (only this one needs it)
    import numpy as np  # noqa: PLC0415

    return cv2.resize(np.zeros((8, 8, 4), np.uint8), (side_px, side_px)).shape, []


def allocate_in_geos(_observe: StepObserver, _buffers: Sequence[bytes], points: int) -> Made:
    """Has GEOS ask for memory."""
    import shapely  # noqa: PLC0415  (only this one needs it)

    line = shapely.LineString([(0, 0), (points, 0)])
    return int(shapely.get_num_coordinates(shapely.segmentize(line, 1.0))), []


def reject(_observe: StepObserver, _buffers: Sequence[bytes]) -> NoReturn:
    """Refuses the artwork."""
    raise ArtworkError(Reason.NO_SUBJECT, "There is nothing on it.", metadata={"pixels": "0"})


def fail(observe: StepObserver, _buffers: Sequence[bytes]) -> NoReturn:
    """Has a bug."""
    secret = "the inside of it"
    with observe("broken", 0.1):
        raise RuntimeError(secret)


def warm_up_numpy() -> None:
    """Imports what the memory tests use, before the limit is set."""
    import cv2  # noqa: F401, PLC0415  (a warm-up imports)
    import numpy as np  # noqa: F401, PLC0415
    import shapely  # noqa: F401, PLC0415


def warm_up_unless(broken: str) -> None:
    """Fails while there is a file of that name."""
    if Path(broken).exists():
        warm_up_fails()


def warm_up_fails() -> None:
    """Names what is missing."""
    raise ArtworkError(Reason.MODEL_UNAVAILABLE, "There is no model at that path.")

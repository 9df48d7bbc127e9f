"""Python's cyclic garbage collector, set for a process that holds very many long-lived objects.

A watch costs some sixty objects, most of which live for minutes. As it is by default, the collector looks at young
objects each time 700 more were made than freed, which one change told to a thousand watchers does fifteen times over,
and goes through the modules and tables of the whole process whenever watches make up a quarter of it: a sixth of the
processor time of a fan-out. Larger generations cost less in all, and pause everybody for longer: a hundred thousand
objects take some 50 ms.
"""

from __future__ import annotations

import gc
from typing import Final

YOUNG_MOST: Final = 5_000
"""Objects that may be made and kept before the young are looked at."""
MIDDLE_MOST: Final = 4
"""Times the young are looked at before those that outlived it are, too: 20,000 objects."""


class CalmCollector:
    """A part that is started last: what is there by then stays for good and is not looked at again."""

    def __init__(self) -> None:
        self._thresholds: tuple[int, int, int] | None = None

    async def start(self) -> None:
        """Lets the collector rest more."""
        self._thresholds = gc.get_threshold()
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_MOST, MIDDLE_MOST, self._thresholds[2])

    async def stop(self) -> None:
        """Takes that back."""
        thresholds, self._thresholds = self._thresholds, None
        if thresholds is not None:
            gc.set_threshold(*thresholds)
            gc.unfreeze()

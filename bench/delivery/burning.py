"""Work that is nothing but CPU time, for the process of a slot."""

from __future__ import annotations

import time
from typing import Any

from cutline.imaging.model import StepObserver


def burn(_observe: StepObserver, _buffers: list[bytes], cpu_s: float) -> tuple[Any, list[bytes]]:
    """Spends CPU time."""
    end_s = time.process_time() + cpu_s
    while time.process_time() < end_s:
        sum(range(1000))
    return None, []

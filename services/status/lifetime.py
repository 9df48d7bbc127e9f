"""How long a stream lasts before its caller is asked to come back."""

from __future__ import annotations

import asyncio
import random
from typing import Final

YOUNGEST_END: Final = 0.8
"""Share of the greatest age from which on a stream may end; where between, chance decides for each."""


class Lifetime:
    """The time a stream has, from now on.

    Replicas that are added get nothing from streams that stay where they are. A stream therefore ends by itself, in
    good order and before its connection has to be cut; those that began together do not end together.

    Args:
        max_age_s: Greatest age.
    """

    __slots__ = ("_clock", "_end_s")

    def __init__(self, max_age_s: float) -> None:
        self._clock = asyncio.get_running_loop().time
        self._end_s = self._clock() + max_age_s * random.uniform(YOUNGEST_END, 1.0)  # noqa: S311  (jitter, no secret)

    @property
    def left_s(self) -> float:
        """What is left of it; 0 when it is over."""
        return max(0.0, self._end_s - self._clock())

    @property
    def over(self) -> bool:
        """Whether the stream is to end."""
        return self.left_s == 0.0

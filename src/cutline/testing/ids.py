"""Ids as the services make them: UUIDv7, so that a newer one is always the greater."""

from __future__ import annotations

import secrets
import time
from typing import Final
from uuid import UUID

_RANDOM_BITS: Final = 74
_VERSION_7: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62
_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000


class Ids:
    """Makes UUIDv7 (RFC 9562, section 5.7) that grow strictly, also within one millisecond; not safe for threads."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> UUID:
        """The next id."""
        now_ms = time.time_ns() // _NANOSECONDS_PER_MILLISECOND
        # Time and random bits as one number: adding one keeps the order where the clock stands still or goes back.
        self._last = max((now_ms << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS - 1), self._last + 1)
        time_ms, random = divmod(self._last, 1 << _RANDOM_BITS)
        high, low = divmod(random, 1 << 62)
        return UUID(int=(time_ms << 80) | _VERSION_7 | (high << 64) | _VARIANT | low)

"""How many streams may be open, in all and for one tenant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from cutline.domain.errors import Reason, ResourceExhaustedError


class StreamLimits:
    """Counts open streams of this process and refuses those beyond the caps."""

    def __init__(self, *, most: int, most_per_tenant: int) -> None:
        self._most = most
        self._most_per_tenant = most_per_tenant
        self._by_tenant: Counter[str] = Counter()
        self._open = 0

    @contextmanager
    def admitted(self, tenant: str) -> Iterator[None]:
        """Holds a place for one stream.

        Raises:
            ResourceExhaustedError: There is none left.
        """
        if self._by_tenant[tenant] >= self._most_per_tenant:
            raise _full(self._most_per_tenant, "streams of this tenant")
        if self._open >= self._most:
            raise _full(self._most, "streams")
        self._by_tenant[tenant] += 1
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            self._by_tenant[tenant] -= 1
            if not self._by_tenant[tenant]:
                del self._by_tenant[tenant]


def _full(cap: int, what: str) -> ResourceExhaustedError:
    return ResourceExhaustedError(
        Reason.STREAM_LIMIT, f"This replica already serves {cap} {what}; close some or try again.", retry_after_s=5.0
    )

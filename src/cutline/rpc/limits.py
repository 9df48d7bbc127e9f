"""How many streams may be open: in all, for one tenant and for one credential."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from cutline.domain.errors import Reason, ResourceExhaustedError
from cutline.domain.principal import Principal

RETRY_AFTER_S: Final = 5.0

_K = TypeVar("_K", bound=Hashable)


class StreamLimits:
    """Counts open streams of this process and refuses those beyond the caps.

    Attributes:
        open_count: Streams that are open now.
    """

    def __init__(self, *, most: int, most_per_tenant: int, most_per_key: int) -> None:
        self.open_count = 0
        self._most = most
        self._most_per_tenant = most_per_tenant
        self._most_per_key = most_per_key
        self._by_tenant: Counter[str] = Counter()
        self._by_key: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def admitted(self, principal: Principal) -> Iterator[None]:
        """Holds a place for one stream.

        Raises:
            ResourceExhaustedError: There is none left; `cap` in its metadata says of which kind.
        """
        tenant, key = principal.tenant, (principal.tenant, principal.subject)
        if self._by_key[key] >= self._most_per_key:
            raise _full(self._most_per_key, of="key")
        if self._by_tenant[tenant] >= self._most_per_tenant:
            raise _full(self._most_per_tenant, of="tenant")
        if self.open_count >= self._most:
            raise _full(self._most, of="replica")
        self._by_key[key] += 1
        self._by_tenant[tenant] += 1
        self.open_count += 1
        try:
            yield
        finally:
            self.open_count -= 1
            _give_back(self._by_tenant, tenant)
            _give_back(self._by_key, key)


def _give_back(counter: Counter[_K], of: _K) -> None:
    counter[of] -= 1
    if not counter[of]:
        del counter[of]


def _full(cap: int, *, of: str) -> ResourceExhaustedError:
    whose = "" if of == "replica" else f" of this {of}"
    return ResourceExhaustedError(
        Reason.STREAM_LIMIT,
        f"This replica already serves {cap} streams{whose}; close some or try again.",
        metadata={"cap": of, "streams": str(cap)},
        retry_after_s=RETRY_AFTER_S,
    )

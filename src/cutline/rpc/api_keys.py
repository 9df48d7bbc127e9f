"""API keys: `ck_<key id>_<secret>`, of which the store knows only the SHA-256."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from cutline.domain.errors import Reason, UnauthenticatedError
from cutline.domain.principal import TENANT_PATTERN, Principal, Scope
from cutline.runtime.logging import get_logger

log = get_logger(__name__)

KNOWN_FOR_S: Final = 30.0
"""How long a verified key is believed: a revoked one works at most so long."""
UNKNOWN_FOR_S: Final = 5.0
"""How long a refused key is refused unasked: a new one works at most so late."""
MAX_REMEMBERED: Final = 10_000

_KEY: Final = re.compile(r"ck_([a-z0-9]{4,32})_[A-Za-z0-9_-]{20,128}")
_SELECT: Final = "SELECT tenant, sha256, scopes FROM api_keys WHERE key_id = $1 AND revoke_time IS NULL"
_DEVELOPER: Final = Principal(tenant="dev", subject="development", scopes=frozenset(Scope))


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key just made; `text` is shown once and kept nowhere."""

    key_id: str
    text: str = field(repr=False)
    sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredApiKey:
    """What the store knows of a key that is not revoked."""

    tenant: str
    sha256: bytes = field(repr=False)
    scopes: tuple[str, ...]


class ApiKeys(Protocol):
    """Where keys are kept."""

    async def find(self, key_id: str) -> StoredApiKey | None:
        """The key of that id, None when there is none or it is revoked."""


class RowSource(Protocol):
    """Fetches one row; an asyncpg pool does."""

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """The first row of the query, None when it has none."""


class PostgresApiKeys:
    """Keys in the table `api_keys`."""

    def __init__(self, rows: RowSource) -> None:
        self._rows = rows

    async def find(self, key_id: str) -> StoredApiKey | None:
        """Reads one key by its primary key."""
        row = await self._rows.fetchrow(_SELECT, key_id)
        if row is None:
            return None
        return StoredApiKey(tenant=row["tenant"], sha256=bytes(row["sha256"]), scopes=tuple(row["scopes"]))


def new_api_key() -> NewApiKey:
    """Makes a key with 256 random bits; store `key_id` and `sha256`, hand out `text`."""
    key_id = secrets.token_hex(6)
    text = f"ck_{key_id}_{secrets.token_urlsafe(32)}"
    return NewApiKey(key_id=key_id, text=text, sha256=_digest(text))


class ApiKeyAuthenticator:
    """Verifies API keys and remembers the answers for a short time.

    A plain SHA-256 is enough for a secret of 256 random bits: there is no dictionary to try.
    """

    def __init__(
        self, keys: ApiKeys, *, development_key: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys = keys
        self._development_sha256 = _digest(development_key) if development_key else None
        self._clock = clock
        self._answers: dict[bytes, tuple[float, Principal | None]] = {}
        self._asking: dict[bytes, asyncio.Task[Principal | None]] = {}

    async def authenticate(self, credential: str) -> Principal:
        """Tells whose key it is; see `Authenticator`."""
        digest = _digest(credential)
        answer = self._answers.get(digest)
        if answer is not None and answer[0] > self._clock():
            principal = answer[1]
        else:
            principal = await self._ask_once(digest, credential)
        if principal is None:
            raise UnauthenticatedError(Reason.UNAUTHENTICATED, "The API key is not valid.")
        return principal

    async def _ask_once(self, digest: bytes, credential: str) -> Principal | None:
        """Verifies a key; callers that come with it meanwhile share the one question."""
        asking = self._asking.get(digest)
        if asking is None:
            asking = asyncio.create_task(self._ask(digest, credential))
            self._asking[digest] = asking
            asking.add_done_callback(lambda _task: self._asking.pop(digest, None))
        return await asyncio.shield(asking)  # one caller going away must not fail the others

    async def _ask(self, digest: bytes, credential: str) -> Principal | None:
        principal = await self._verify(digest, credential)
        if len(self._answers) >= MAX_REMEMBERED:
            self._forget()
        believed_s = UNKNOWN_FOR_S if principal is None else KNOWN_FOR_S
        self._answers[digest] = (self._clock() + believed_s, principal)
        return principal

    async def _verify(self, digest: bytes, credential: str) -> Principal | None:
        if self._development_sha256 is not None and hmac.compare_digest(digest, self._development_sha256):
            return _DEVELOPER
        match = _KEY.fullmatch(credential)
        if match is None:
            return None
        stored = await self._keys.find(match[1])
        if stored is None or not hmac.compare_digest(digest, stored.sha256):
            return None
        if not TENANT_PATTERN.fullmatch(stored.tenant):
            log.error("auth.tenant_malformed", key_id=match[1])
            return None
        scopes = frozenset(scope for scope in Scope if scope.value in stored.scopes)
        return Principal(tenant=stored.tenant, subject=match[1], scopes=scopes)

    def _forget(self) -> None:
        """Drops what is out of date, or the older half when nothing is."""
        now = self._clock()
        fresh = {digest: answer for digest, answer in self._answers.items() if answer[0] > now}
        if len(fresh) >= MAX_REMEMBERED:
            fresh = dict(list(fresh.items())[MAX_REMEMBERED // 2 :])
        self._answers = fresh


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()

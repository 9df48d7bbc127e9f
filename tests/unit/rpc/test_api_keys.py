"""API keys: made, verified, remembered and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from cutline.domain.errors import UnauthenticatedError, UnavailableError
from cutline.domain.principal import Principal, Scope
from cutline.rpc import api_keys
from cutline.rpc.api_keys import (
    KNOWN_FOR_S,
    UNKNOWN_FOR_S,
    ApiKeyAuthenticator,
    NewApiKey,
    PostgresApiKeys,
    StoredApiKey,
    new_api_key,
)
from cutline.rpc.auth import credential_of
from cutline.store.pool import store_unavailable


class KeptKeys:
    """Keys in memory; counts the questions and can hold back the answers."""

    def __init__(self, *keys: NewApiKey, tenant: str = "acme", scopes: tuple[str, ...] = ("designs:read",)) -> None:
        self.kept = {key.key_id: StoredApiKey(tenant, key.sha256, scopes) for key in keys}
        self.asked: list[str] = []
        self.answering = asyncio.Event()
        self.answering.set()
        self.away = False

    async def find(self, key_id: str) -> StoredApiKey | None:
        """The key of that id."""
        self.asked.append(key_id)
        await self.answering.wait()
        if self.away:
            raise store_unavailable()
        return self.kept.get(key_id)


class Clock:
    """A clock that only tests move."""

    now_s = 0.0

    def __call__(self) -> float:
        """The moment."""
        return self.now_s


async def _refused(authenticator: ApiKeyAuthenticator, credential: str) -> bool:
    try:
        await authenticator.authenticate(credential)
    except UnauthenticatedError:
        return True
    return False


def test_new_keys_are_unlike_and_keep_their_secret() -> None:
    """No two keys are the same, and a key's repr does not show it."""
    first, second = new_api_key(), new_api_key()

    assert first.text != second.text
    assert first.text.startswith(f"ck_{first.key_id}_")
    assert first.text not in repr(first)


async def test_a_key_names_its_principal() -> None:
    """Tenant and scopes come from the store, the key's id is the subject; an unknown scope grants nothing."""
    key = new_api_key()
    authenticator = ApiKeyAuthenticator(KeptKeys(key, scopes=("designs:read", "designs:fly")))

    assert await authenticator.authenticate(key.text) == Principal("acme", key.key_id, frozenset({Scope.DESIGNS_READ}))


async def test_wrong_keys_are_refused() -> None:
    """A key with another secret, of another id, malformed or empty is nobody's; malformed ones ask no store."""
    key, keys = new_api_key(), KeptKeys()
    keys.kept[key.key_id] = StoredApiKey("acme", key.sha256, ())
    authenticator = ApiKeyAuthenticator(keys)

    assert await _refused(authenticator, key.text[:-1] + ("a" if key.text[-1] != "a" else "b"))
    assert await _refused(authenticator, new_api_key().text)
    asked = len(keys.asked)
    for malformed in ("", "nonsense", "ck__", f"ck_{key.key_id}_short", key.text + "\n", f"ck_' OR 1=1_{'x' * 40}"):
        assert await _refused(authenticator, malformed), malformed
    assert len(keys.asked) == asked


async def test_answers_are_remembered_for_a_while() -> None:
    """The store is asked once per time to live; a revoked key dies with it, a new one lives after the short one."""
    key, keys, clock = new_api_key(), KeptKeys(), Clock()
    authenticator = ApiKeyAuthenticator(keys, clock=clock)

    assert await _refused(authenticator, key.text)
    keys.kept[key.key_id] = StoredApiKey("acme", key.sha256, ())
    assert await _refused(authenticator, key.text)
    clock.now_s += UNKNOWN_FOR_S
    assert not await _refused(authenticator, key.text)
    keys.kept.clear()
    assert not await _refused(authenticator, key.text)
    assert len(keys.asked) == 2
    clock.now_s += KNOWN_FOR_S
    assert await _refused(authenticator, key.text)


async def test_callers_share_one_question() -> None:
    """Callers with the same key wait for the same answer, also when the one who asked goes away."""
    key = new_api_key()
    keys = KeptKeys(key)
    keys.answering.clear()
    authenticator = ApiKeyAuthenticator(keys)
    calls = [asyncio.create_task(authenticator.authenticate(key.text)) for _ in range(10)]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    keys.answering.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert {type(answer) for answer in answers[1:]} == {Principal}
    assert len(keys.asked) == 1


async def test_an_outage_is_no_verdict() -> None:
    """While the store is away a key is neither good nor bad, and that is not remembered."""
    key = new_api_key()
    keys = KeptKeys(key)
    keys.away = True
    authenticator = ApiKeyAuthenticator(keys)
    with pytest.raises(UnavailableError):
        await authenticator.authenticate(key.text)
    keys.away = False

    assert not await _refused(authenticator, key.text)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many keys are tried, only so many answers are kept, the newest among them."""
    monkeypatch.setattr(api_keys, "MAX_REMEMBERED", 10)
    keys = KeptKeys()
    authenticator = ApiKeyAuthenticator(keys, clock=Clock())
    tried = [new_api_key().text for _ in range(35)]
    for text in tried:
        assert await _refused(authenticator, text)

    assert len(authenticator._answers) <= 10
    asked = len(keys.asked)
    assert await _refused(authenticator, tried[-1])
    assert len(keys.asked) == asked


async def test_the_development_key_has_every_scope_in_its_own_tenant() -> None:
    """It is the tenant `dev`, asks no store, and does nothing where it is not configured."""
    keys = KeptKeys()
    authenticator = ApiKeyAuthenticator(keys, development_key="a-development-key")

    assert await authenticator.authenticate("a-development-key") == Principal("dev", "development", frozenset(Scope))
    assert await _refused(ApiKeyAuthenticator(keys), "a-development-key")
    assert keys.asked == []


async def test_a_tenant_that_could_break_subjects_is_refused() -> None:
    """A row whose tenant is not [a-z0-9-]{1,63} opens nothing."""
    key = new_api_key()

    assert await _refused(ApiKeyAuthenticator(KeptKeys(key, tenant="a.>")), key.text)


async def test_postgres_rows_become_keys() -> None:
    """A row is read by key id; no row is no key."""

    class Rows:
        async def fetchrow(self, query: str, *args: Any) -> Mapping[str, Any] | None:
            assert "revoke_time IS NULL" in query
            return {"tenant": "acme", "sha256": b"1", "scopes": ["admin"]} if args == ("k1",) else None

    assert await PostgresApiKeys(Rows()).find("k1") == StoredApiKey("acme", b"1", ("admin",))
    assert await PostgresApiKeys(Rows()).find("k2") is None


@pytest.mark.parametrize(
    ("authorization", "api_key", "credential"),
    [("Bearer a", "", "a"), ("bearer a", "b", "a"), ("", "b", "b"), ("Basic a", "b", "b")],
)
def test_credentials_come_from_two_places(authorization: str, api_key: str, credential: str) -> None:
    """A bearer token goes before x-api-key; other schemes are not ours."""
    assert credential_of(authorization, api_key) == credential


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic a"])
def test_no_credential_says_how_to_send_one(authorization: str) -> None:
    """Without a credential the error names both ways."""
    with pytest.raises(UnauthenticatedError, match="x-api-key"):
        credential_of(authorization, "")

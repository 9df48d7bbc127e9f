"""The operator's command for API keys."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from cutline.domain.errors import UnauthenticatedError
from cutline.rpc.api_keys import ApiKeyAuthenticator, PostgresApiKeys
from cutline.rpc.keys import main


async def run(*arguments: str) -> int:
    """The command's exit code; it runs an event loop of its own."""
    return await asyncio.to_thread(main, arguments)


@pytest.fixture(autouse=True)
def _database(monkeypatch: pytest.MonkeyPatch, postgres_dsn: str) -> None:
    monkeypatch.setenv("CUTLINE_POSTGRES_DSN", postgres_dsn)


async def test_a_key_that_was_made_is_accepted_until_it_is_revoked(
    capfd: pytest.CaptureFixture[str], postgres_dsn: str
) -> None:
    """What `make` prints authenticates its tenant with its scopes; after `revoke` it does not."""
    assert await run("make", "--tenant", "acme", "--scope", "designs:read") == 0
    text = capfd.readouterr().out.strip()
    pool = await asyncpg.create_pool(postgres_dsn, min_size=1, max_size=1)
    try:
        principal = await ApiKeyAuthenticator(PostgresApiKeys(pool)).authenticate(text)
        assert (principal.tenant, {scope.value for scope in principal.scopes}) == ("acme", {"designs:read"})

        assert await run("revoke", principal.subject) == 0
        with pytest.raises(UnauthenticatedError):
            await ApiKeyAuthenticator(PostgresApiKeys(pool)).authenticate(text)
        assert await run("revoke", principal.subject) == 1
    finally:
        await pool.close()


async def test_a_list_never_shows_a_keys_text(capfd: pytest.CaptureFixture[str]) -> None:
    """`list` names id, tenant and scopes only."""
    await run("make", "--tenant", "acme")
    text = capfd.readouterr().out.strip()

    assert await run("list") == 0
    listed = capfd.readouterr().out
    assert "acme" in listed
    assert text.split("_", 2)[2] not in listed


async def test_a_tenant_that_is_none_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    """Upper case and spaces cannot stand in subjects and keys."""
    with pytest.raises(SystemExit) as caught:
        await run("make", "--tenant", "Not A Tenant")

    assert caught.value.code == 2
    assert "is not a tenant id" in capfd.readouterr().err

"""API keys against the real table."""

from __future__ import annotations

import asyncpg
import pytest

from cutline.domain.errors import UnauthenticatedError
from cutline.domain.principal import Principal, Scope
from cutline.rpc.api_keys import ApiKeyAuthenticator, PostgresApiKeys, new_api_key


async def test_a_stored_key_works_until_it_is_revoked(postgres_dsn: str) -> None:
    """A row of the table opens its tenant; with a revoke_time it opens nothing."""
    key = new_api_key()
    async with asyncpg.create_pool(postgres_dsn, min_size=1, max_size=1) as pool:
        await pool.execute(
            "INSERT INTO api_keys (key_id, tenant, sha256, scopes) VALUES ($1, 'acme', $2, $3)",
            key.key_id,
            key.sha256,
            ["designs:read", "designs:write"],
        )
        keys = PostgresApiKeys(pool)

        principal = await ApiKeyAuthenticator(keys).authenticate(key.text)
        assert principal == Principal("acme", key.key_id, frozenset({Scope.DESIGNS_READ, Scope.DESIGNS_WRITE}))

        await pool.execute("UPDATE api_keys SET revoke_time = now() WHERE key_id = $1", key.key_id)
        with pytest.raises(UnauthenticatedError):
            await ApiKeyAuthenticator(keys).authenticate(key.text)

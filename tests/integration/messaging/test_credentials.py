"""A broker that knows its users by JWTs, which an operator's account signs: the other way to log in by key."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import nkeys
import pytest

from cutline.embedded import wheels
from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.embedded.process import LeashedProcess, Order, bare_environment
from cutline.messaging.connection import Broker
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import NatsSettings
from tests.support.polling import eventually

WITHIN_S: Final = 30.0


class Signer:
    """Who signs and is signed for: an operator, an account or a user."""

    def __init__(self, kind: int, seed_byte: int) -> None:
        self.seed: bytes = nkeys.encode_seed(bytes([seed_byte]) * 32, kind)  # type: ignore[no-untyped-call]  # the library's lack
        self.pair = nkeys.from_seed(bytearray(self.seed))  # type: ignore[no-untyped-call]  # as above
        self.public: str = self.pair.public_key.decode()

    def jwt(self, subject: Signer, name: str, facts: dict[str, Any]) -> str:
        """A token that says who a subject is."""
        claims = {
            "iat": int(time.time()),
            "iss": self.public,
            "name": name,
            "sub": subject.public,
            "nats": facts | {"version": 2},
        }
        claims["jti"] = base64.b32encode(hashlib.sha256(json.dumps(claims).encode()).digest()).decode().rstrip("=")
        text = f"{_encoded({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_encoded(claims)}"
        return f"{text}.{_base64(self.pair.sign(text.encode()))}"


def _encoded(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


OPERATOR, ACCOUNT, USER, STRANGER = (
    Signer(kind, number)
    for number, kind in enumerate(
        (nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_USER, nkeys.PREFIX_BYTE_ACCOUNT), 1
    )
)


@asynccontextmanager
async def operated_broker(folder: Path) -> AsyncIterator[str]:
    """A nats-server that believes the operator, and the account that it signed."""
    ports = PortReservation()
    port = ports.take()
    limits = {
        "subs": -1,
        "data": -1,
        "payload": -1,
        "imports": -1,
        "exports": -1,
        "wildcards": True,
        "conn": -1,
        "leaf": -1,
    }
    account = OPERATOR.jwt(ACCOUNT, "cutline", {"type": "account", "limits": limits})
    config = {
        "listen": f"{LOOPBACK}:{port}",
        "operator": OPERATOR.jwt(OPERATOR, "operator", {"type": "operator"}),
        "resolver": "MEMORY",
        "resolver_preload": {ACCOUNT.public: account},
    }
    path = folder / "nats.conf"
    path.write_text(json.dumps(config), encoding="utf-8")
    server = await LeashedProcess.start(
        (wheels.nats_server(), "--config", path),
        log_path=folder / "nats.log",
        env=bare_environment(),
        cwd=folder,
        order=Order(),
    )
    try:
        yield f"nats://{LOOPBACK}:{port}"
    finally:
        await server.stop()
        ports.release()


def credentials(folder: Path, *, signer: Signer) -> Path:
    """A credentials file as `nsc` writes it."""
    unbounded = {"subs": -1, "data": -1, "payload": -1}
    facts = unbounded | {"type": "user", "pub": {"allow": ["_INBOX_imaging.>"]}, "sub": {"allow": ["_INBOX_imaging.>"]}}
    path = folder / "user.creds"
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\n{signer.jwt(USER, 'imaging', facts)}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{USER.seed.decode()}\n------END USER NKEY SEED------\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("signer", [ACCOUNT, STRANGER], ids=["signed", "forged"])
async def test_a_user_logs_in_with_its_credentials(tmp_path: Path, signer: Signer) -> None:
    """What its account signed lets it in with the permissions in it; what somebody else signed ends the process."""
    fatal: list[str] = []
    async with operated_broker(tmp_path) as url:
        env = EnvReader({"CUTLINE_NATS_URL": url, "CUTLINE_NATS_CREDS_FILE": str(credentials(tmp_path, signer=signer))})
        broker = Broker(NatsSettings.read(env, user="imaging"), name="test", on_fatal=fatal.append)
        await broker.start()
        try:
            assert await eventually(lambda: broker.connected or bool(fatal), within_s=WITHIN_S)
            assert broker.connected == (signer is ACCOUNT)
            assert [why.partition(":")[0] for why in fatal[:1]] == (
                [] if signer is ACCOUNT else ["the broker refused the login"]
            )
        finally:
            await broker.stop()

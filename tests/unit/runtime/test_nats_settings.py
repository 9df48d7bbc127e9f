"""Who connects to the bus, and how: what cannot be used is refused by the name of its variable."""

from __future__ import annotations

from pathlib import Path

import nkeys
import pytest

from cutline.messaging.permissions import BusUser
from cutline.runtime.environment import EnvReader, SettingsError
from cutline.runtime.settings import NatsSettings
from services.imaging.settings import ImagingSettings
from services.ingest.settings import IngestSettings
from services.mockup.settings import MockupSettings
from services.status.settings import StatusSettings
from tests.unit.runtime.test_service_settings import SOUND

SEED = nkeys.encode_seed(bytes(32), nkeys.PREFIX_BYTE_USER).decode()  # type: ignore[no-untyped-call]  # the library's lack
ACCOUNT_SEED = nkeys.encode_seed(bytes(32), nkeys.PREFIX_BYTE_ACCOUNT).decode()  # type: ignore[no-untyped-call]  # as above


def read(**environ: str) -> NatsSettings:
    """The settings of a user; raises what is refused."""
    env = EnvReader({"CUTLINE_NATS_URL": "tls://broker:4222"} | environ)
    settings = NatsSettings.read(env, user="imaging")
    env.finish()
    return settings


def test_a_seed_may_lie_in_a_file(tmp_path: Path) -> None:
    """As a mounted secret does, with the end of line that editors leave; it is never shown."""
    path = tmp_path / "seed"
    path.write_text(f"{SEED}\n", encoding="utf-8")

    settings = read(CUTLINE_NATS_NKEY_SEED_FILE=str(path))

    assert settings.nkey_seed == SEED
    assert SEED not in repr(settings)


@pytest.mark.parametrize("seed", [ACCOUNT_SEED, SEED[:-1], SEED.lower(), "UNLIKELY", "sürprise"])
def test_what_is_no_seed_of_a_user_is_refused(seed: str) -> None:
    """And not repeated: a secret that was mistyped is a secret."""
    with pytest.raises(SettingsError) as refused:
        read(CUTLINE_NATS_NKEY_SEED=seed)

    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["CUTLINE_NATS_NKEY_SEED"]
    assert seed not in str(refused.value)


def test_there_is_one_login(tmp_path: Path) -> None:
    """A seed beside credentials, or beside a password in the address, leaves open which of them holds."""
    creds = tmp_path / "user.creds"
    creds.write_text("JWT", encoding="utf-8")

    with pytest.raises(SettingsError, match="CUTLINE_NATS_CREDS_FILE too"):
        read(CUTLINE_NATS_NKEY_SEED=SEED, CUTLINE_NATS_CREDS_FILE=str(creds))
    with pytest.raises(SettingsError, match="holds a login"):
        read(CUTLINE_NATS_NKEY_SEED=SEED, CUTLINE_NATS_URL="nats://user:password@broker:4222")
    assert read(CUTLINE_NATS_CREDS_FILE=str(creds)).creds_path == creds


@pytest.mark.parametrize("name", ["CUTLINE_NATS_CREDS_FILE", "CUTLINE_NATS_CA_FILE", "CUTLINE_NATS_NKEY_SEED_FILE"])
def test_a_file_that_is_missing_is_named(name: str) -> None:
    """At start, and not by the first connection."""
    with pytest.raises(SettingsError, match=f"{name}: .*/not/there.* cannot be read"):
        read(**{name: "/not/there"})


@pytest.mark.parametrize("prefix", ["with space", ">", "_INBOX.*", "a..b", ".a"])
def test_replies_need_a_plain_subject(prefix: str) -> None:
    """A wildcard there would listen to others."""
    with pytest.raises(SettingsError, match="CUTLINE_NATS_INBOX_PREFIX"):
        read(CUTLINE_NATS_INBOX_PREFIX=prefix)


def test_replies_arrive_where_the_user_may_listen() -> None:
    """Each service's default is what the broker allows its user; ingest's follows its role."""

    def of_role(role: str) -> NatsSettings:
        return IngestSettings.from_env(SOUND | {"CUTLINE_INGEST_ROLES": role}).nats

    found = {
        BusUser.INGEST_API: of_role("api"),
        BusUser.INGEST_ADMIN: of_role("admin"),
        BusUser.INGEST_HOUSEKEEPING: of_role("housekeeping"),
        BusUser.IMAGING: ImagingSettings.from_env(SOUND).nats,
        BusUser.MOCKUP: MockupSettings.from_env(SOUND).nats,
        BusUser.STATUS: StatusSettings.from_env(SOUND).nats,
    }

    assert {user: settings.inbox_prefix for user, settings in found.items()} == {
        user: user.inbox_prefix for user in found
    }
    assert of_role("api,admin").inbox_prefix == "_INBOX_ingest"
    assert read(CUTLINE_NATS_INBOX_PREFIX="_INBOX_mine").inbox_prefix == "_INBOX_mine"

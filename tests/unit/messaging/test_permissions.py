"""Permissions follow the topology, and every format says the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nkeys
import pytest
import yaml

from cutline.domain.states import Lane, Stage
from cutline.embedded.wheels import nats_server
from cutline.messaging.permissions import ACCOUNT, SYSTEM_ACCOUNT, BusUser, permissions
from cutline.messaging.permissions_command import SYSTEM_USER, main
from cutline.messaging.permissions_config import accounts_config
from cutline.messaging.topology import Topology, ack_pending_needed

ALL = (*BusUser, SYSTEM_USER)


def public_nkey(number: int) -> str:
    """A public key of a user."""
    seed = nkeys.encode_seed(bytes([number]) * 32, nkeys.PREFIX_BYTE_USER)  # type: ignore[no-untyped-call]  # the library's lack
    return str(nkeys.from_seed(bytearray(seed)).public_key.decode())  # type: ignore[no-untyped-call]  # as above


NKEYS = {user: public_nkey(number) for number, user in enumerate(ALL, start=1)}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command prints."""
    assert main(arguments) == 0
    return capsys.readouterr().out


def with_keys() -> list[str]:
    """Arguments that give every key."""
    return [word for user, nkey in NKEYS.items() for word in ("--nkey", f"{user}={nkey}")]


@pytest.mark.parametrize("user", BusUser)
def test_a_namespace_stands_before_everything_that_is_granted(user: BusUser) -> None:
    """Stacks that share a broker reach nothing of each other: only replies are the user's alone by name."""
    allowed, topology = permissions(user, Topology(namespace="blue")), Topology()
    plain = permissions(user, topology)

    own = {f"{user.inbox_prefix}.>"}
    assert set(allowed.publish_allow) & set(plain.publish_allow) == set()
    assert set(allowed.subscribe_allow) & set(plain.subscribe_allow) <= own
    for subject in allowed.publish_allow:
        assert subject.startswith("blue.") or ".BLUE_" in subject


@pytest.mark.parametrize("user", BusUser)
def test_no_grant_reaches_over_streams_or_consumers(user: BusUser) -> None:
    """A request to JetStream names its stream; wildcards stand only for tenants, designs and what an ack carries."""
    topology = Topology()
    streams = {stream.name for stream in topology.streams()}
    for subject in permissions(user, topology).publish_allow:
        tokens = subject.split(".")
        if subject.startswith("$JS.API."):
            assert streams & set(tokens)
            assert subject.rstrip("*") == subject or "CONSUMER.CREATE" in subject
        elif subject.startswith("$JS.ACK."):
            assert tokens[2] in streams
            assert "*" not in subject
        else:
            assert ">" not in subject
            assert tokens[0] in {"jobs", "events", "dead", "control"}


@pytest.mark.parametrize("user", BusUser)
def test_every_grant_says_what_it_is_for(user: BusUser) -> None:
    """And none is there twice."""
    allowed = permissions(user, Topology())
    assert all(grant.reason for grant in (*allowed.publish, *allowed.subscribe))
    assert len(set(allowed.publish_allow)) == len(allowed.publish_allow)


def test_a_user_without_grants_is_denied_everything() -> None:
    """An empty list would allow everything."""
    assert permissions(BusUser.STATUS, Topology()).publish == ()
    config = accounts_config(Topology(), {BusUser.STATUS: NKEYS[BusUser.STATUS]})
    [user] = config["accounts"][ACCOUNT]["users"]
    assert user["permissions"]["publish"] == {"deny": [">"]}


def test_the_chart_gets_what_the_embedded_broker_has(capsys: pytest.CaptureFixture[str]) -> None:
    """Values of the chart and the embedded configuration hold the same accounts, users and subjects."""
    values = yaml.safe_load(printed(capsys, "--format", "helm", *with_keys()))

    users = {user: NKEYS[user] for user in BusUser}
    expected = accounts_config(Topology(), users, system_nkey=NKEYS[SYSTEM_USER])
    assert _sorted(values["config"]["merge"]) == _sorted(expected)


def _sorted(config: object) -> object:
    """Lists of subjects in one order: the printed ones stand below their reasons."""
    if isinstance(config, dict):
        return {key: _sorted(value) for key, value in config.items()}
    if isinstance(config, list) and all(isinstance(one, str) for one in config):
        return sorted(config)
    return [_sorted(one) for one in config] if isinstance(config, list) else config


@pytest.mark.parametrize("named", [True, False], ids=["with keys", "with variables"])
def test_the_server_takes_the_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path, named: bool) -> None:
    """nats-server itself finds it valid, with keys or with variables of its environment in their place."""
    path = tmp_path / "users.conf"
    path.write_text(printed(capsys, *(with_keys() if named else [])), encoding="utf-8")
    variables = {f"CUTLINE_NKEY_{user.upper().replace('-', '_')}": nkey for user, nkey in NKEYS.items()}

    checked = subprocess.run(
        (nats_server(), "-t", "-c", path), env={} if named else variables, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
    assert SYSTEM_ACCOUNT in path.read_text(encoding="utf-8")


def test_programs_get_subjects_reasons_and_inboxes(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, with the key where one was given."""
    told = json.loads(printed(capsys, "--format", "json", "--nkey", f"imaging={NKEYS['imaging']}"))

    assert list(told["users"]) == list(BusUser)
    assert told["users"]["imaging"]["nkey"] == NKEYS["imaging"]
    assert "nkey" not in told["users"]["mockup"]
    assert told["users"]["mockup"]["inbox_prefix"] == "_INBOX_mockup"
    assert {"subject": "control.cancel.mockup", "reason": "hears that work was cancelled"} in told["users"]["mockup"][
        "subscribe"
    ]


@pytest.mark.parametrize("key", ["nobody=U", "imaging=SUAM", "imaging"])
def test_what_is_no_key_of_a_user_is_refused(capsys: pytest.CaptureFixture[str], key: str) -> None:
    """A seed that was pasted by mistake must not end up in a configuration."""
    with pytest.raises(SystemExit) as ended:
        main(["--nkey", key])
    assert ended.value.code == 2
    assert "is not" in capsys.readouterr().err


def test_what_a_lane_has_to_bear() -> None:
    """Ten workers of three slots hold thirty running messages and one more of each other lane."""
    assert ack_pending_needed(replicas=10, slots=3) == 10 * 3 + 10 * (len(Lane) - 1)
    assert all(bound >= ack_pending_needed(replicas=64, slots=2) for bound in Topology().max_ack_pending.values())
    assert set(Topology().max_ack_pending) == set(Stage)

"""Where a client finds the services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cutline.client import BadSettingError, Client, ClientSettings, NotConfiguredError

WHOLE = {"CUTLINE_INGEST_TARGET": "a:1", "CUTLINE_STATUS_TARGET": "b:2", "CUTLINE_API_KEY": "k"}


def write_env(folder: Path, instance: str, text: str) -> None:
    """Writes what an embedded stack leaves for clients."""
    path = folder / ".cutline" / instance / "client.env"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


def test_the_environment_names_both_targets_and_the_key(tmp_path: Path) -> None:
    """Three variables are enough."""
    found = ClientSettings.from_env(WHOLE, folder=tmp_path)
    assert (found.ingest_target, found.status_target, found.api_key, found.tls) == ("a:1", "b:2", "k", None)


def test_one_target_serves_both(tmp_path: Path) -> None:
    """CUTLINE_TARGET stands for both, and a special one goes before it."""
    environ = {"CUTLINE_TARGET": "x:1", "CUTLINE_STATUS_TARGET": "y:2", "CUTLINE_API_KEY": "k", "CUTLINE_TLS": "on"}
    found = ClientSettings.from_env(environ, folder=tmp_path)
    assert (found.ingest_target, found.status_target, found.tls) == ("x:1", "y:2", True)


def test_the_queues_may_have_an_address_of_their_own(tmp_path: Path) -> None:
    """Without a word they are asked for where ingest is; a target that is given stands for them too."""
    environ = WHOLE | {"CUTLINE_ADMIN_TARGET": "c:3"}
    assert ClientSettings.from_env(WHOLE, folder=tmp_path).admin_target == ""
    assert ClientSettings.from_env(environ, folder=tmp_path).admin_target == "c:3"
    assert ClientSettings.of(target="t:1", environ=environ, folder=tmp_path).admin_target == "t:1"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """The error lists the variables that would help, and only those."""
    with pytest.raises(NotConfiguredError, match=r"CUTLINE_STATUS_TARGET, CUTLINE_API_KEY are not set") as caught:
        ClientSettings.from_env({"CUTLINE_INGEST_TARGET": "a:1"}, folder=tmp_path)
    assert caught.value.missing == ("CUTLINE_STATUS_TARGET", "CUTLINE_API_KEY")


def test_a_running_stack_of_the_folder_is_found(tmp_path: Path) -> None:
    """Without targets in the environment the default instance's file is read; a key that is set goes before its."""
    lines = "# made by the stack\nexport CUTLINE_INGEST_TARGET=127.0.0.1:5\nCUTLINE_STATUS_TARGET='127.0.0.1:6'\n"
    write_env(tmp_path, "1", f"{lines}CUTLINE_API_KEY=from-file\n")
    write_env(tmp_path, "second", "CUTLINE_INGEST_TARGET=other:1\n")
    found = ClientSettings.from_env({}, folder=tmp_path)
    assert (found.ingest_target, found.status_target, found.api_key) == ("127.0.0.1:5", "127.0.0.1:6", "from-file")
    assert ClientSettings.from_env({"CUTLINE_API_KEY": "mine"}, folder=tmp_path).api_key == "mine"


def test_the_environment_goes_before_a_running_stack(tmp_path: Path) -> None:
    """With a target in the environment the folder is not looked at."""
    write_env(tmp_path, "1", "CUTLINE_INGEST_TARGET=file:1\nCUTLINE_STATUS_TARGET=file:2\nCUTLINE_API_KEY=f\n")
    assert ClientSettings.from_env(WHOLE, folder=tmp_path).ingest_target == "a:1"


def test_the_only_other_instance_is_found_and_of_two_none(tmp_path: Path) -> None:
    """One instance under any name is unambiguous; of two without a default neither is guessed."""
    lines = "CUTLINE_INGEST_TARGET=x:1\nCUTLINE_STATUS_TARGET=x:2\nCUTLINE_API_KEY=k\n"
    write_env(tmp_path, "run-2", lines)
    assert ClientSettings.from_env({}, folder=tmp_path).ingest_target == "x:1"
    write_env(tmp_path, "run-3", lines)
    with pytest.raises(NotConfiguredError):
        ClientSettings.from_env({}, folder=tmp_path)


def test_the_key_is_not_shown() -> None:
    """A printed settings object holds neither the key nor the token."""
    assert "secret" not in repr(ClientSettings("a", "b", "secret-key", token="secret-token"))


@pytest.mark.parametrize("credential", ["secret-key\n", "secret key", "secret-clé", 5])
def test_a_credential_that_no_header_holds_is_refused_unseen(credential: Any) -> None:
    """A key with the end of its line is told by its variable, and so is what a function gives; neither is shown."""
    with pytest.raises(BadSettingError, match="CUTLINE_API_KEY: the credential") as caught:
        ClientSettings("a", "b", credential)
    assert "secret" not in str(caught.value)
    with pytest.raises(BadSettingError, match="CUTLINE_TOKEN: the credential"):
        ClientSettings("a", "b", token=lambda: credential).credential()


def test_every_setting_can_come_from_the_environment(tmp_path: Path) -> None:
    """A token goes before a key, and files for TLS are taken as they are named."""
    environ = WHOLE | {
        "CUTLINE_TOKEN": "a.jwt.token",
        "CUTLINE_CA_FILE": "ca.pem",
        "CUTLINE_CLIENT_CERT_FILE": "client.pem",
        "CUTLINE_CLIENT_KEY_FILE": "client.key",
    }
    found = ClientSettings.from_env(environ, folder=tmp_path)
    assert (found.ca_file, found.client_cert_file, found.client_key_file) == ("ca.pem", "client.pem", "client.key")
    assert (found.credential(), found.speaks_tls("127.0.0.1:1")) == ("a.jwt.token", True)
    del environ["CUTLINE_API_KEY"]
    assert ClientSettings.from_env(environ, folder=tmp_path).credential() == "a.jwt.token"


@pytest.mark.parametrize(("text", "tls"), [("on", True), ("1", True), ("Off", False), ("0", False), ("", None)])
def test_tls_is_on_off_or_not_said(tmp_path: Path, text: str, tls: bool | None) -> None:
    """Off says that plaintext is meant; nothing leaves it to the address."""
    assert ClientSettings.from_env(WHOLE | {"CUTLINE_TLS": text}, folder=tmp_path).tls is tls


def test_a_switch_that_is_neither_is_refused(tmp_path: Path) -> None:
    """A word that cannot be read is told with the variable and the words that can."""
    with pytest.raises(BadSettingError, match=r"CUTLINE_TLS is 'maybe', not one of 1, true"):
        ClientSettings.from_env(WHOLE | {"CUTLINE_TLS": "maybe"}, folder=tmp_path)


def test_what_is_given_goes_before_the_environment(tmp_path: Path) -> None:
    """A target stands for both, and a credential that is given is the only one."""
    environ = WHOLE | {"CUTLINE_TOKEN": "from-env"}
    found = ClientSettings.of(target="t:1", api_key="mine", environ=environ, folder=tmp_path)
    assert (found.ingest_target, found.status_target, found.credential()) == ("t:1", "t:1", "mine")
    assert ClientSettings.of(token=lambda: "made", environ=environ, folder=tmp_path).credential() == "made"
    assert ClientSettings.of(target="t:1", api_key="k", environ={}, folder=tmp_path).api_key == "k"


def test_settings_are_given_once() -> None:
    """Settings beside an address or a credential are a mistake of the program."""
    with pytest.raises(TypeError, match="settings are given"):
        Client(ClientSettings("a", "b", "k"), api_key="other")
    with pytest.raises(TypeError, match="str is not ClientSettings"):
        Client("127.0.0.1:7001")  # type: ignore[arg-type]  # what is tested

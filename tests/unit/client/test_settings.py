"""Where a client finds the services."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutline.client import ClientSettings, NotConfiguredError

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
    """A printed settings object does not hold the key."""
    assert "secret" not in repr(ClientSettings("a", "b", "secret"))

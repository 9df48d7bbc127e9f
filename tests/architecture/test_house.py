"""The rules of the house that a tool can hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("src/cutline/v1/", "src/cutline/jobs/")
MODULE_LINES_MAX = 500
DRAWERS = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc", "shared"}

# Written in pieces, so that this file does not find itself.
MACHINE_PATH = re.compile("|".join(("/ro" + "ot/", "/ho" + r"me/\w+/", "/Us" + r"ers/\w+/", r"(?<![\w/])/wo" + "rk/")))
REGISTRY = re.compile(
    "|".join(("pypi" + r"\.org", "python" + "hosted", r"registry\." + "npmjs", "index" + r"[-_]url\s*="))
)
SETTING = re.compile(r"CUTLINE_[A-Z0-9_]*[A-Z0-9]")
LOCK_FORBIDDEN = ("://", "--in" + "dex-url", "--extra-in" + "dex-url", "--find-" + "links", "--trusted-" + "host")


def _tracked() -> list[str]:
    listed = subprocess.run(("git", "ls-files", "-z"), cwd=ROOT, capture_output=True, check=False)  # noqa: S607
    if listed.returncode != 0:
        pytest.skip("not a git checkout: the files of the project are not known")
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def _modules() -> list[str]:
    return [name for name in _tracked() if name.endswith(".py") and not name.startswith(GENERATED)]


def test_no_module_is_too_long() -> None:
    """No hand-written module has more than 500 lines."""
    lines = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in _modules()}
    assert {name: count for name, count in lines.items() if count > MODULE_LINES_MAX} == {}


def test_no_module_is_a_drawer() -> None:
    """No module or package is named for holding whatever had no better place."""
    assert [name for name in _modules() if DRAWERS & set(Path(name).with_suffix("").parts)] == []


@pytest.mark.parametrize(("what", "pattern"), [("a path of one machine", MACHINE_PATH), ("a registry", REGISTRY)])
def test_no_file_names_where_it_was_made(what: str, pattern: re.Pattern[str]) -> None:
    """No tracked text file names a folder of somebody's machine or a package registry."""
    found = {}
    for name in _tracked():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content and (match := pattern.search(content.decode(errors="replace"))):
            found[name] = match.group()
    assert found == {}, what


def test_locks_name_no_source() -> None:
    """The locks hold names, versions and hashes, and nothing about where packages come from."""
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert {lock.stem for lock in locks} == {"dev", "imaging", "ingest", "mockup", "run", "status"}
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert [word for word in LOCK_FORBIDDEN if word in text] == [], lock.name
        assert "--hash=sha256:" in text


def test_locks_agree() -> None:
    """A package has the same version in every lock as in the one that the tests use."""
    dev = _versions("dev")
    for lock in ("imaging", "ingest", "mockup", "run", "status"):
        assert {name: version for name, version in _versions(lock).items() if dev.get(name) != version} == {}, lock


def test_imports_keep_their_contracts() -> None:
    """Every import contract of pyproject.toml is kept."""
    _passes("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-logo")


def test_generated_code_is_what_the_contract_says() -> None:
    """Generating from the .proto files gives the committed code to the byte."""
    _passes(str(ROOT / "proto" / "generate.py"), "--check")


@pytest.mark.parametrize("arguments", [("lint",), ("breaking", "--against", "baseline.binpb")])
def test_contract_is_clean_and_compatible(arguments: tuple[str, ...]) -> None:
    """The contract keeps buf's style rules, and nothing of the released one was taken away."""
    buf = Path(sys.executable).with_name("buf")
    checked = subprocess.run((buf, *arguments), cwd=ROOT / "proto", capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_setting_is_documented() -> None:
    """Each environment variable that the code reads is in docs/operations.md, and no other is."""
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    read = {
        name
        for module in _modules()
        if module.startswith(("src/", "services/"))
        for name in SETTING.findall((ROOT / module).read_text(encoding="utf-8"))
    }
    assert read ^ set(SETTING.findall(operations)) == set()


def _versions(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+(?:\[[a-z,0-9-]+\])?)==(\S+)", text, flags=re.MULTILINE))


def _passes(*arguments: str) -> None:
    checked = subprocess.run((sys.executable, *arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr

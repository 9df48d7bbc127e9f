"""The clients' own tests, each in its language, and the files that must not name where packages come from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from clients.build import GO, TYPESCRIPT
from tests.clients.conftest import go, run_well, typescript


@pytest.mark.parametrize("of_lock", [False, True], ids=["path", "lock"])
async def test_the_typescript_client_passes_its_tests(of_lock: bool) -> None:
    """Watches resume, refusals keep their details, files are compared: on the PATH's Node.js and on the lock's."""
    node = typescript(of_lock=of_lock)
    tests = sorted(str(path) for path in (TYPESCRIPT / "dist/test").glob("*.test.js"))
    printed = await run_well(*node, "--test", "--test-reporter=tap", *tests, cwd=TYPESCRIPT)

    passed = re.search(r"^# pass (\d+)$", printed, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) >= 20


async def test_the_go_client_passes_its_tests_and_is_in_order() -> None:
    """The same for Go, with nothing downloaded; gofmt and vet have nothing to say."""
    command = go()
    offline = {"GOPROXY": "off", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}

    assert re.search(
        r"^ok\s+cutline\.example/cutline\s", await run_well(command, "test", "./...", cwd=GO, **offline), re.MULTILINE
    )
    assert await run_well(command, "vet", "./...", cwd=GO, **offline) == ""
    assert await run_well(str(Path(command).with_name("gofmt")), "-l", ".", cwd=GO) == ""


def test_no_lock_names_a_registry() -> None:
    """package-lock.json pins every package by digest and says nothing of hosts; go.sum is digests alone."""
    lock = json.loads((TYPESCRIPT / "package-lock.json").read_text("utf-8"))
    packages = {path: package for path, package in lock["packages"].items() if path}

    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
    assert "://" not in (TYPESCRIPT / "package-lock.json").read_text("utf-8")
    assert all(re.fullmatch(r"\S+ v\S+ h1:\S+", line) for line in (GO / "go.sum").read_text("utf-8").splitlines())

"""Runs the outside tools of tools.txt: checkov on manifests, squawk on migrations. Neither asks anybody anything."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import yaml

from deploy.checks.manifests import Manifests
from deploy.checks.waivers import Finding

CHECKS: Final = Path(__file__).resolve().parent
MIGRATIONS: Final = CHECKS.parents[1] / "src/cutline/store/migrations"
_TIMEOUT_S: Final = 300
_SQUAWK_FOUND: Final = 1


class ScannerMissingError(Exception):
    """A tool is not installed; the message names it."""


def checkov(deployments: Iterable[Manifests]) -> list[Finding]:
    """What checkov has against resources, by its rules for Kubernetes.

    Raises:
        ScannerMissingError: It is not installed.
    """
    program = _program("checkov")
    with tempfile.TemporaryDirectory(prefix="cutline-checkov-") as folder:
        for manifests in deployments:
            scanned = Path(folder) / f"{manifests.name.removeprefix('overlays/').replace('/', '-')}.yaml"
            scanned.write_text(yaml.safe_dump_all(manifests.documents), encoding="utf-8")
        options = ("--framework", "kubernetes", "--output", "json", "--compact", "--quiet", "--skip-download")
        made = _run((program, "--directory", folder, *options))
    if not made.stdout.startswith("{"):
        raise RuntimeError(made.stdout + made.stderr)
    report = json.loads(made.stdout)
    if "results" not in report or report["summary"]["parsing_errors"]:
        raise RuntimeError(made.stdout)
    return sorted(
        {
            Finding(failed["check_id"], f"{Path(failed['file_path']).stem}: {failed['resource']}", failed["check_name"])
            for failed in report["results"]["failed_checks"]
        },
        key=lambda finding: (finding.rule, finding.where),
    )


def squawk(files: Sequence[Path]) -> list[Finding]:
    """What squawk has against migrations: what locks, breaks or slows down those who use the tables meanwhile.

    Raises:
        ScannerMissingError: It is not installed.
    """
    # The runner applies each file in a transaction of its own, see cutline.store.migrations.
    made = _run((_program("squawk"), "--assume-in-transaction", "--pg-version", "16", "--reporter", "json", *files))
    if made.returncode not in {0, _SQUAWK_FOUND}:
        raise RuntimeError(made.stdout + made.stderr)
    return [
        Finding(found["rule_name"], f"{Path(found['file']).name}:{found['line'] + 1}", found["message"])
        for found in json.loads(made.stdout)
    ]


def migration_files() -> list[Path]:
    """The migrations of this release, oldest first."""
    return sorted(MIGRATIONS.glob("*.sql"))


def _program(name: str) -> Path:
    found = CHECKS / ".venv/bin" / name
    if not found.exists():
        message = f"{name} is not installed: run make k8s-check"
        raise ScannerMissingError(message)
    return found


def _run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)

"""checkov and squawk find what they are there for, and a waiver that covers nothing is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from deploy.checks import scanners, waivers
from deploy.checks.manifests import Manifests
from deploy.checks.waivers import Finding, Waiver, read_waivers, unwaived
from tests.deploy.k8s.changes import both, drop, put

SERVICE: Final = "spec/template/spec/containers/service"

UNSAFE: Final = {
    "ALTER TABLE jobs DROP COLUMN lane;": "ban-drop-column",
    "ALTER TABLE jobs RENAME COLUMN lane TO track;": "renaming-column",
    "ALTER TABLE jobs RENAME TO tasks;": "renaming-table",
    "DROP TABLE jobs;": "ban-drop-table",
    "ALTER TABLE jobs ADD COLUMN weight bigint NOT NULL;": "adding-required-field",
    "ALTER TABLE jobs ALTER COLUMN traceparent SET NOT NULL;": "adding-not-nullable-field",
    "ALTER TABLE jobs ALTER COLUMN attempt TYPE bigint;": "changing-column-type",
    "CREATE INDEX jobs_by_age ON jobs (create_time);": "require-concurrent-index-creation",
    "ALTER TABLE jobs ADD CONSTRAINT some_weight CHECK (attempt > 0);": "constraint-missing-not-valid",
    "ALTER TABLE jobs ADD COLUMN token uuid DEFAULT gen_random_uuid();": "adding-field-with-default",
}
SAFE: Final = "CREATE TABLE notes (note_id uuid PRIMARY KEY); ALTER TABLE jobs ADD COLUMN note_id uuid;"


@pytest.fixture(scope="session")
def tools() -> None:
    """The outside tools; the test is skipped where they are not installed."""
    try:
        scanners.squawk([])
    except scanners.ScannerMissingError as missing:
        pytest.skip(str(missing))


@pytest.mark.usefixtures("tools")
def test_migrations_may_run_while_the_release_before_serves() -> None:
    """Every step that squawk calls unsafe is waived with a reason, and every waiver still covers something."""
    assert unwaived(scanners.squawk(scanners.migration_files()), read_waivers("squawk")) == []


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(("statement", "rule"), UNSAFE.items(), ids=UNSAFE.values())
def test_an_unsafe_migration_is_found(tmp_path: Path, statement: str, rule: str) -> None:
    """A later migration that breaks or blocks the release before is reported by its rule, which no waiver covers."""
    file = tmp_path / "0099_unsafe.sql"
    file.write_text(statement, encoding="utf-8")

    found = unwaived(scanners.squawk([file]), read_waivers("squawk"))

    assert [message for message in found if message.startswith("0099_unsafe.sql:1: ") and message.endswith(f"({rule})")]


@pytest.mark.usefixtures("tools")
def test_an_additive_migration_passes(tmp_path: Path) -> None:
    """A new table and a column that may be empty are what a release may bring at any time."""
    file = tmp_path / "0099_safe.sql"
    file.write_text(SAFE, encoding="utf-8")

    assert [
        finding
        for finding in scanners.squawk([file])
        if not any(waiver.covers(finding) for waiver in read_waivers("squawk"))
    ] == []


@pytest.mark.usefixtures("tools")
def test_checkov_finds_a_privileged_container(production: Manifests) -> None:
    """What Pod Security forbids is also found by somebody who does not know our policies."""
    broken = both(
        put("Deployment/imaging", f"{SERVICE}/securityContext/privileged", True),
        put("Deployment/imaging", f"{SERVICE}/securityContext/allowPrivilegeEscalation", True),
        drop("Deployment/imaging", f"{SERVICE}/livenessProbe"),
    )(production)
    (imaging,) = (one for one in broken.deployments() if one["metadata"]["name"] == "imaging")

    found = [
        finding
        for finding in scanners.checkov([Manifests("production", (imaging,))])
        if not any(waiver.covers(finding) for waiver in read_waivers("checkov"))
    ]

    assert {finding.rule for finding in found} >= {"CKV_K8S_8", "CKV_K8S_16", "CKV_K8S_20"}
    assert all("imaging" in finding.where for finding in found)


def test_a_waiver_covers_what_it_names_and_nothing_else() -> None:
    """Another rule and another place stay reported, and a waiver that covers nothing is reported too."""
    here, there = (Finding("R1", f"production: Deployment.cutline.{name}", "is bad") for name in ("imaging", "status"))
    other = Finding("R2", here.where, "is worse")
    covering = Waiver("R1", "production: *.imaging", "because")

    assert unwaived([here], [covering]) == []
    assert unwaived([here, there, other], [covering]) == [
        f"{there.where}: is bad (R1)",
        f"{other.where}: is worse (R2)",
    ]
    (unused,) = unwaived([], [covering])
    assert "R1" in unused
    assert "covers nothing" in unused


def test_a_waiver_without_a_reason_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waives a check in silence."""
    file = tmp_path / "waivers.yaml"
    file.write_text('checkov: [{rule: CKV_K8S_1, where: "*", reason: " "}]', encoding="utf-8")
    monkeypatch.setattr(waivers, "WAIVERS", file)

    with pytest.raises(ValueError, match="without a reason: CKV_K8S_1"):
        read_waivers("checkov")

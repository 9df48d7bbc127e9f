"""What the manifests have from elsewhere in the repository is what is committed."""

from __future__ import annotations

import pytest
import yaml

from cutline.messaging.permissions import ACCOUNT, BusUser
from deploy.k8s import generate


def test_generated_files_are_current() -> None:
    """The users of the bus and the alert rules are committed as `make k8s-render` writes them."""
    assert generate.stale() == []


def test_a_changed_source_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a source says something else than what is committed, the file made of it is named."""
    generated = generate.generated()
    monkeypatch.setattr(generate, "generated", lambda: generated | {generate.RULE: generated[generate.RULE] + "\n"})
    assert generate.stale() == [generate.RULE]


def test_the_rule_holds_every_alert() -> None:
    """The PrometheusRule has the very groups that Prometheus of the compose file reads."""
    rule = yaml.safe_load(generate.RULE.read_text(encoding="utf-8"))
    assert rule["spec"] == yaml.safe_load(generate.ALERTS.read_text(encoding="utf-8"))


def test_the_chart_gets_a_key_for_every_user() -> None:
    """Every user of the bus has a key in the chart's environment, by the name that its configuration asks for."""
    values = yaml.safe_load(generate.VALUES.read_text(encoding="utf-8"))
    users = yaml.safe_load(generate.USERS.read_text(encoding="utf-8"))
    accounts = users["config"]["merge"]["accounts"]
    asked = {user["nkey"].strip("<> $") for account in accounts.values() for user in account["users"]}
    given = {name for name in values["container"]["env"] if name.startswith("CUTLINE_NKEY_")}
    assert len(accounts[ACCOUNT]["users"]) == len(BusUser)
    assert asked == given

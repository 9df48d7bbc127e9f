"""The alerts and dashboards ask for metrics that the services show, under labels that they bear."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from cutline.runtime.environment import ListenAddress
from cutline.runtime.settings import ShellSettings
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute
from cutline.telemetry.setup import Telemetry

ROOT: Final = Path(__file__).resolve().parents[3]
MONITORING: Final = ROOT / "deploy" / "monitoring"
DASHBOARDS: Final = ("api", "overview", "watching", "workers")
JOBS: Final = {
    "ingest-api": 7101,
    "ingest-admin": 7101,
    "ingest-housekeeping": 7101,
    "status": 7102,
    "imaging": 7103,
    "mockup": 7104,
}

# What Prometheus makes itself of every target, and what it calls what it scraped.
OF_PROMETHEUS: Final = {"up"}
LABELS_OF_PROMETHEUS: Final = {"job", "instance", "le"}
WORD: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
QUOTED: Final = re.compile(r'"[^"]*"')
GROUPING: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
MATCHERS: Final = re.compile(r"\{([^}]*)\}")
RANGE: Final = re.compile(r"\[[^\]]*\]")
OPERATORS: Final = {"and", "or", "unless", "bool", "offset"}
FUNCTIONS: Final = {"sum", "max", "min", "absent", "rate", "increase", "delta", "histogram_quantile"}

# The parts of Prometheus' format of rules that are used; an unknown key is a slip that Prometheus refuses at its start.
RULES_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["groups"],
    "additionalProperties": False,
    "properties": {
        "groups": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "rules"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "rules": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["alert", "expr", "labels", "annotations"],
                            "additionalProperties": False,
                            "properties": {
                                "alert": {"type": "string", "pattern": "^Cutline[A-Z][A-Za-z]+$"},
                                "expr": {"type": "string", "minLength": 1},
                                "for": {"type": "string", "pattern": "^[0-9]+[smhd]$"},
                                "labels": {
                                    "type": "object",
                                    "required": ["severity"],
                                    "properties": {"severity": {"enum": ["critical", "warning", "info"]}},
                                },
                                "annotations": {
                                    "type": "object",
                                    "required": ["summary", "runbook"],
                                    "additionalProperties": {"type": "string"},
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}


def rules() -> list[dict[str, Any]]:
    """Every alert rule."""
    loaded = yaml.safe_load((MONITORING / "alerts.yaml").read_text("utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def queries() -> dict[str, str]:
    """Every PromQL expression, by where it stands."""
    found = {f"alert {rule['alert']}": rule["expr"] for rule in rules()}
    for name in DASHBOARDS:
        for panel in json.loads((MONITORING / "dashboards" / f"{name}.json").read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                found[f"{name}, {panel['title']}, {target['refId']}"] = target["expr"]
    return found


def names_in(expression: str) -> tuple[set[str], set[str]]:
    """The metrics and the labels that an expression names."""
    bare = RANGE.sub("", QUOTED.sub('""', expression))
    labels = {word for part in (*GROUPING.findall(bare), *MATCHERS.findall(bare)) for word in WORD.findall(part)}
    metrics = set(WORD.findall(MATCHERS.sub("", GROUPING.sub("", bare)))) - OPERATORS - FUNCTIONS
    return metrics, labels


@pytest.fixture(scope="module")
def exported() -> set[str]:
    """Names of all samples that a service shows, each instrument used once."""
    telemetry = Telemetry.of_service("ingest", ShellSettings(ListenAddress("127.0.0.1", 0)))
    for instrument in fields(Metrics):
        measure: Any = getattr(telemetry.metrics, instrument.name)
        record = next(getattr(measure, name) for name in ("add", "record", "set") if hasattr(measure, name))
        record(1)
    families = text_string_to_metric_families(telemetry.exposition().decode())
    return {sample.name for family in families for sample in family.samples}


def labels_recorded() -> Iterator[str]:
    """Every label that a metric of ours may bear, as Prometheus writes it."""
    yield from (attribute.value.replace(".", "_") for attribute in Attribute)


def test_every_query_names_metrics_and_labels_that_exist(exported: set[str]) -> None:
    """No alert and no panel waits for a metric, a suffix or a label that no service shows."""
    labels = LABELS_OF_PROMETHEUS | set(labels_recorded())
    unknown = {
        where: (metrics - exported - OF_PROMETHEUS, named - labels)
        for where, expression in queries().items()
        for metrics, named in [names_in(expression)]
        if metrics - exported - OF_PROMETHEUS or named - labels or not metrics
    }
    assert unknown == {}


@pytest.mark.parametrize(
    "broken",
    [
        "max(cutline_outbox_size) > 1",  # no such metric
        "rate(cutline_submits[5m]) > 1",  # a counter's suffix is missing
        "histogram_quantile(0.9, rate(cutline_stage_duration_bucket[5m]))",  # a unit is missing
        "max by (stage) (cutline_queue_depth)",  # a label without its prefix
        'cutline_queue_depth{cutline_band="bulk"} > 1',  # no such label
    ],
)
def test_the_check_finds_a_query_that_asks_for_nothing(broken: str, exported: set[str]) -> None:
    """A wrong metric, suffix, unit or label in a query is found."""
    metrics, labels = names_in(broken)
    assert metrics - exported or labels - LABELS_OF_PROMETHEUS - set(labels_recorded())


def test_every_legend_names_a_label_that_its_query_keeps() -> None:
    """A legend or a summary asks for no label that the aggregation before it has dropped: it would be empty."""
    dropped = {}
    for name in DASHBOARDS:
        for panel in json.loads((MONITORING / "dashboards" / f"{name}.json").read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                asked = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                if asked - names_in(target["expr"])[1]:
                    dropped[name, panel["title"]] = asked
    for rule in rules():
        asked = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        if " by (" in rule["expr"] and asked - names_in(rule["expr"])[1]:
            dropped["alert", rule["alert"]] = asked
    assert dropped == {}


def test_every_instrument_is_shown() -> None:
    """Each metric of the services is in an alert or on a dashboard: what nobody looks at is not measured."""
    shown = " ".join(queries().values())
    telemetry = Telemetry.of_service("ingest", ShellSettings(ListenAddress("127.0.0.1", 0)))
    for instrument in fields(Metrics):
        measure: Any = getattr(telemetry.metrics, instrument.name)
        next(getattr(measure, name) for name in ("add", "record", "set") if hasattr(measure, name))(1)
    families = {
        family.name
        for family in text_string_to_metric_families(telemetry.exposition().decode())
        if not family.name.startswith(("target", "python", "process"))
    }
    assert {family for family in families if family not in shown} == set()


def test_alert_rules_have_the_form_that_prometheus_reads() -> None:
    """The rules have the keys Prometheus knows, a severity, a summary and a runbook; no two have the same name."""
    jsonschema.validate(yaml.safe_load((MONITORING / "alerts.yaml").read_text("utf-8")), RULES_SCHEMA)
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"groups": [{"name": "a", "rules": [{**rules()[0], "form": "2m"}]}]}, RULES_SCHEMA)


def test_every_expression_is_closed() -> None:
    """Brackets and quotes of every query are in pairs."""
    pairs = {")": "(", "]": "[", "}": "{"}
    for where, expression in queries().items():
        opened: list[str] = []
        for character in QUOTED.sub("", expression):
            if character in pairs.values():
                opened.append(character)
            elif character in pairs:
                assert opened, where
                assert opened.pop() == pairs[character], where
        assert opened == [], where
        assert expression.count('"') % 2 == 0, where


def test_every_alert_has_its_line_in_the_runbook() -> None:
    """The table of alerts in docs/operations.md has each alert, and no other."""
    operations = (ROOT / "docs" / "operations.md").read_text("utf-8")
    section = operations.split("\n## Alerts\n", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"^\| `(Cutline\w+)` \|", section, flags=re.MULTILINE)) == {rule["alert"] for rule in rules()}
    assert {rule["annotations"]["runbook"] for rule in rules()} == {"docs/operations.md#alerts"}


def test_prometheus_scrapes_every_service_where_it_answers() -> None:
    """Each Deployment is a job of its own name, asked on the port that the service has by default."""
    config = yaml.safe_load((MONITORING / "prometheus.yaml").read_text("utf-8"))
    found = {
        job["job_name"]: (source["names"], source["port"])
        for job in config["scrape_configs"]
        for source in job["dns_sd_configs"]
    }
    assert found == {name: ([name], port) for name, port in JOBS.items()}


def test_dashboards_are_as_drawn() -> None:
    """The committed dashboards are what the script draws, with ids of their own and no panel over another."""
    script = MONITORING / "draw_dashboards.py"
    checked = subprocess.run((sys.executable, script, "--check"), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    drawn = [json.loads((MONITORING / "dashboards" / f"{name}.json").read_text("utf-8")) for name in DASHBOARDS]
    assert sorted(file.stem for file in (MONITORING / "dashboards").glob("*.json")) == list(DASHBOARDS)
    assert len({dashboard["uid"] for dashboard in drawn}) == len(DASHBOARDS)
    for dashboard in drawn:
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
        assert len(set(places)) == len(places)
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)

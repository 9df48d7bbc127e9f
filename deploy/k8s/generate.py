"""Writes what the manifests have from elsewhere in the repository: `python deploy/k8s/generate.py [--check]`.

- The users of the bus, from what `cutline.messaging.permissions` allows them, as values of NATS' chart.
- The alert rules of deploy/monitoring, as a resource of the Prometheus Operator.

Both are committed, because kustomize and helm read files. With `--check` nothing is written, and the exit code is 1
where a file is not what it should be.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cutline.messaging.permissions_command import helm
from cutline.messaging.topology import Topology

DEPLOY: Final = Path(__file__).resolve().parents[1]
USERS: Final = DEPLOY / "k8s/components/nats-cluster/users.yaml"
VALUES: Final = USERS.with_name("values.yaml")
RULE: Final = DEPLOY / "k8s/components/monitoring/prometheus-rule.yaml"
ALERTS: Final = DEPLOY / "monitoring/alerts.yaml"

_RULE_HEAD: Final = """\
# Made by `make k8s-render` from deploy/monitoring/alerts.yaml: change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: cutline
  namespace: cutline
  labels:
    app.kubernetes.io/part-of: cutline
spec:
"""


def generated() -> dict[Path, str]:
    """Each generated file with the text it should have."""
    rules = textwrap.indent(ALERTS.read_text(encoding="utf-8"), "  ", lambda line: bool(line.strip()))
    return {USERS: helm(Topology(), {}), RULE: _RULE_HEAD + rules}


def stale() -> list[Path]:
    """The files that are not what they should be."""
    return [path for path, text in generated().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main(arguments: Sequence[str]) -> int:
    """Writes or compares; the exit code."""
    found = stale()
    for path in found:
        sys.stdout.write(f"{path.relative_to(DEPLOY.parent)}\n")
    if "--check" in arguments:
        return int(bool(found))
    for path in found:
        path.write_text(generated()[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

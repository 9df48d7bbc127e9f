"""`python -m deploy.checks`: renders the manifests and holds them, and the migrations, against all that is known.

`render` writes deploy/k8s/rendered anew. `check` (the default) ends with 1 where something is wrong; what cannot be
checked here is named with the reason. `check --all` takes every subset of the components, which takes minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from deploy.checks import npm, rendering, scanners, schemas
from deploy.checks.manifests import Document, Manifests
from deploy.checks.policies import POLICIES
from deploy.checks.policies.policy import PRODUCTION
from deploy.checks.rendering import ROOT, Composition
from deploy.checks.waivers import read_waivers, unwaived

Found = TypeVar("Found")


class Report:
    """Prints what each step found, and remembers whether anything was wrong."""

    def __init__(self) -> None:
        self.failed = False

    def step(self, what: str, errors: Callable[[], list[str]]) -> None:
        """Runs one step, prints its errors, or that there are none."""
        start = time.monotonic()
        try:
            found = errors()
        except (npm.NpmMissingError, rendering.NoKubectlError) as missing:
            print(f"skipped  {what}: {missing}")
            return
        except (rendering.RenderingError, scanners.ScannerMissingError) as broken:
            found = [str(broken)]
        for error in found:
            print(f"WRONG    {error}")
        self.failed |= bool(found)
        print(f"{'failed' if found else 'ok':8} {what} ({time.monotonic() - start:.1f} s)")


def main() -> int:
    """Runs the command and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.checks", description=__doc__)
    parser.add_argument("command", choices=("check", "render"), nargs="?", default="check")
    parser.add_argument("--all", action="store_true", help="take every subset of the components")
    chosen = parser.parse_args()
    if chosen.command == "render":
        for path in rendering.write_rendered():
            print(path.relative_to(ROOT))
        return 0
    report = Report()
    check(report, every=chosen.all)
    return int(report.failed)


def check(report: Report, *, every: bool) -> None:
    """Runs every step."""
    found = rendering.committed()
    report.step("generated sources are what they are made of", rendering.stale_sources)
    report.step("the committed output is what the manifests render to", rendering.drift)
    combined: dict[Composition, Manifests] = {}
    wanted = rendering.combinations(every=every)
    report.step(f"{len(wanted)} combinations of components render", lambda: _rendered(wanted, combined))
    documents = schemas.unique(document for part in (found | combined).values() for document in part.documents)
    versions = " and ".join(schemas.KUBERNETES_VERSIONS)
    report.step(
        f"{len(documents)} resources keep the schemas of Kubernetes {versions}, unknown fields refused",
        lambda: schemas.kubernetes_errors(documents),
    )
    report.step("custom resources keep their schemas, unknown fields refused", lambda: _custom(documents))
    spoken_of = [*rendering.overlays(), *(one for one in combined if one.folder == PRODUCTION)]
    report.step(
        f"{len(POLICIES)} policies hold for {len(spoken_of)} overlays and combinations",
        lambda: list(_violations(spoken_of, found | combined)),
    )
    report.step("checkov finds nothing that is not waived", lambda: _checkov(found))
    report.step("squawk finds nothing in the migrations that is not waived", _squawk)


def _rendered(wanted: list[Composition], into: dict[Composition, Manifests]) -> list[str]:
    into |= rendering.render_all(wanted)
    return []


def _custom(documents: list[Document]) -> list[str]:
    npm.install()
    return schemas.custom_errors(documents)


def _violations(spoken_of: list[Composition], found: dict[Composition, Manifests]) -> Iterator[str]:
    for composition in spoken_of:
        if composition not in found:
            yield f"{composition.name}: there is no committed output; run make k8s-render"
            continue
        manifests = rendering.whole(composition, found)
        for policy in POLICIES:
            for violation in policy.violations(manifests):
                yield f"{composition.name}: {violation} ({policy.name})"


def _checkov(found: dict[Composition, Manifests]) -> list[str]:
    return unwaived(scanners.checkov(found.values()), read_waivers("checkov"))


def _squawk() -> list[str]:
    return unwaived(scanners.squawk(scanners.migration_files()), read_waivers("squawk"))


if __name__ == "__main__":
    sys.exit(main())

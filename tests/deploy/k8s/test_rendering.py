"""The committed manifests are what kustomize makes of their sources, and components stand beside each other."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Final

import pytest

from deploy.checks import rendering
from deploy.checks.npm import CHECKS
from deploy.checks.rendering import Composition, RenderingError

needs_kubectl: Final = pytest.mark.skipif(rendering.kubectl() is None, reason="there is no kubectl")
_OF_A_LOCK: Final = re.compile(
    r"[\w.-]+==[\w.+!-]+( ; [^:/]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|    #( via)?( +(-r )?[\w.\[\]/-]+)?"
)
"""A package of one version, a digest, or a word on what asks for it: no other line, so none on where it is from."""


@needs_kubectl
def test_the_committed_output_is_current() -> None:
    """Rendering gives the committed files to the byte, and nothing else is committed; `make k8s-render` writes them."""
    assert rendering.drift() == []


@needs_kubectl
def test_another_output_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was edited, one that is missing and one too many are each named."""
    monkeypatch.setattr(rendering, "RENDERED", tmp_path)
    monkeypatch.setattr(rendering, "ROOT", tmp_path.parent)
    *written, missing = rendering.write_rendered()
    written[0].write_text(written[0].read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    missing.unlink()
    (tmp_path / "staging.yaml").write_text("", encoding="utf-8")

    found = [Path(message.partition(":")[0]).name for message in rendering.drift()]

    assert found == ["staging.yaml", written[0].name, missing.name]


@needs_kubectl
def test_a_kustomization_that_cannot_be_built_is_named() -> None:
    """The composition and the component that is not there are in the message."""
    with pytest.raises(RenderingError, match=r"overlays/dev with nothing-like-it: (?s:.*)nothing-like-it"):
        rendering.render(Composition("overlays/dev", frozenset({"nothing-like-it"})))


def test_each_two_components_are_tried_together_and_apart() -> None:
    """Of each two components some combination has both, some one, some none; exclusive ones are never together."""
    names = {found.parent.name for found in rendering.COMPONENTS.glob("*/kustomization.yaml")}
    for overlay in rendering.overlays():
        tried = [
            one.components
            for one in rendering.combinations(every=False)
            if one.folder == overlay.folder and one.components is not None
        ]
        for first, second in itertools.combinations(sorted(names), 2):
            seen = {(first in components, second in components) for components in tried}
            wanted = set(itertools.product((False, True), repeat=2))
            assert seen == wanted - ({(True, True)} if {first, second} == rendering.EXCLUSIVE else set()), (
                first,
                second,
            )


def test_locks_name_no_source() -> None:
    """The locks of the tools hold versions and digests, and nothing about where packages come from."""
    pip, npm = ((CHECKS / name).read_text(encoding="utf-8") for name in ("tools.txt", "package-lock.json"))

    assert [line for line in pip.splitlines() if not _OF_A_LOCK.fullmatch(line)] == []
    assert '"resolved"' not in npm
    assert pip.count("--hash=sha256:") > pip.count("==")
    assert len(re.findall(r'"integrity": "sha512-', npm)) == npm.count('"node_modules/')

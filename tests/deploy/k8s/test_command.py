"""`make k8s-check` says what it found, and what it could not look at."""

from __future__ import annotations

import pytest

from deploy.checks import npm, rendering
from deploy.checks.__main__ import Report


def test_what_is_wrong_is_named_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """Each finding has its line, a step without any is ok, and one wrong step is enough to fail."""
    report = Report()

    report.step("all is well", list)
    assert not report.failed
    report.step("all is well here too", lambda: ["Deployment/imaging: is missing"])
    report.step("and here", list)

    printed = capsys.readouterr().out
    assert report.failed
    assert "WRONG    Deployment/imaging: is missing\nfailed   all is well here too" in printed
    assert printed.count("ok ") == 2


@pytest.mark.parametrize(
    "missing", [rendering.NoKubectlError(), npm.NpmMissingError("npm failed: no route to a registry")]
)
def test_what_cannot_be_checked_is_skipped_with_the_reason(
    missing: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine without kubectl or without a registry passes, and reads what nobody looked at."""

    def step() -> list[str]:
        raise missing

    report = Report()
    report.step("everything renders", step)

    assert not report.failed
    assert capsys.readouterr().out == f"skipped  everything renders: {missing}\n"


def test_a_kustomization_that_cannot_be_built_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """What kubectl refuses is wrong, not missing."""

    def step() -> list[str]:
        message = "overlays/dev: no such file"
        raise rendering.RenderingError(message)

    report = Report()
    report.step("everything renders", step)

    assert report.failed
    assert "WRONG    overlays/dev: no such file" in capsys.readouterr().out


def test_without_kubectl_nothing_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The committed output is what is checked then, and it says so."""
    monkeypatch.setattr(rendering, "kubectl", lambda: None)

    with pytest.raises(rendering.NoKubectlError, match="the committed output is checked"):
        rendering.drift()

"""What becomes of designs in the fake server is what the test said."""

from __future__ import annotations

from typing import Any

import pytest

from cutline.client import ApiError, Client, DesignFailedError, PreconditionError
from cutline.testing import DesignState, Failed, FakeServer, Finding, FindingLevel, Held, OutputFormat, Ready
from cutline.v1 import design_pb2, report_pb2

PNG = b"\x89PNG\r\n\x1a\nnot quite a picture"
Design = design_pb2.Design


def events(design: Design) -> list[str]:
    """What happened to a design, oldest first."""
    return [entry.event for entry in design.timeline]


def test_outcomes_are_used_in_order(server: FakeServer, client: Client) -> None:
    """Each new run takes the next outcome, and those behind the last are READY."""
    server.script(Failed("NO_SUBJECT", "There is nothing on it."), Ready())
    first, second, third = (client.designs.submit(PNG) for _ in range(3))
    with pytest.raises(DesignFailedError):
        first.wait(timeout_s=30)

    assert (first.message.failure.reason, first.message.failure.message) == ("NO_SUBJECT", "There is nothing on it.")
    assert [design.state for design in server.designs] == [Design.STATE_FAILED, Design.STATE_READY, Design.STATE_READY]
    assert second.id != third.id


def test_a_function_may_say_what_becomes_of_each(server: FakeServer, client: Client) -> None:
    """It is asked of every run that has no outcome scripted, with the design as it was accepted."""
    server.outcome = lambda design: Failed("NO_SUBJECT") if design.reference == "bad" else Ready()
    for reference in ("good", "bad", "good"):
        client.designs.submit(PNG, reference=reference)
    server.script(Ready())
    client.designs.submit(PNG, reference="bad")

    ready, failed = Design.STATE_READY, Design.STATE_FAILED
    assert [design.state for design in server.designs] == [ready, failed, ready, ready]


def test_a_held_design_goes_step_by_step(server: FakeServer, client: Client) -> None:
    """Every step of the work is a revision with its line in the timeline, as the workers make them."""
    server.script(Held(DesignState.QUEUED))
    design = client.designs.submit(PNG)
    seen = []
    while server.design(design.id).state != Design.STATE_READY:
        now = server.advance(design.id)
        seen.append((now.revision, now.state, now.stage, len(now.artifacts), len(now.mockups)))

    processing, imaging, mockup = Design.STATE_PROCESSING, design_pb2.STAGE_IMAGING, design_pb2.STAGE_MOCKUP
    assert seen == [
        (2, processing, imaging, 0, 0),
        (3, processing, mockup, 6, 0),
        (4, processing, mockup, 6, 0),
        (5, Design.STATE_READY, design_pb2.STAGE_UNSPECIFIED, 6, 4),
    ]
    assert events(server.design(design.id)) == [
        "submitted",
        "imaging_started",
        "imaging_done",
        "mockup_started",
        "ready",
    ]


def test_progress_is_told_between_steps(server: FakeServer, client: Client) -> None:
    """A share of the work makes a revision without a line in the timeline, and only grows."""
    server.script(Held())
    design = client.designs.submit(PNG)
    told = server.advance(design.id, progress=0.4)
    assert (told.progress, told.revision, events(told)) == (0.4, 3, ["submitted", "imaging_started"])
    with pytest.raises(ValueError, match=r"0\.3 is not above 0\.4"):
        server.advance(design.id, progress=0.3)
    server.finish(design.id)
    with pytest.raises(ValueError, match="only one that is PROCESSING"):
        server.advance(design.id, progress=0.9)


def test_finish_and_fail_end_it_as_told(server: FakeServer, client: Client) -> None:
    """The end may be decided late, and what has ended cannot end again."""
    server.outcome = Held(DesignState.QUEUED, then=Failed("NO_SUBJECT"))
    ready, failed, broken = (client.designs.submit(PNG, reference=name) for name in "abc")

    assert server.finish(ready.id, Ready()).state == Design.STATE_READY
    assert server.finish(failed.id).failure.reason == "NO_SUBJECT"
    assert server.fail(broken.id, "MEMORY_LIMIT").failure.stage == design_pb2.STAGE_IMAGING
    for end in (server.finish, server.advance):
        with pytest.raises(ValueError, match="has ended"):
            end(ready.id)
    with pytest.raises(KeyError, match="no design"):
        server.finish("nonsense")


def test_a_design_whose_imaging_is_done_loses_only_its_mockups(server: FakeServer, client: Client) -> None:
    """As with the real services it ends READY with a finding, whether scripted or failed by hand."""
    server.script(Ready(mockups_fail=True), Held())
    scripted, by_hand = client.designs.submit(PNG, reference="a"), client.designs.submit(PNG, reference="b")
    server.advance(by_hand.id)
    server.fail(by_hand.id, "WORKER_CRASHED")

    for design in (server.design(scripted.id), server.design(by_hand.id)):
        assert design.state == Design.STATE_READY
        assert [finding.code for finding in design.findings] == ["MOCKUPS_UNAVAILABLE"]
        assert (len(design.mockups), design.print_verdict) == (0, report_pb2.PRINT_VERDICT_PASS)
        assert events(design)[-1] == "mockups_unavailable"


def test_findings_and_files_are_those_given(server: FakeServer, client: Client) -> None:
    """The verdict follows from the findings, and a file of the test's own is what a download gets."""
    low = Finding("RESOLUTION", FindingLevel.WARN, "The art is coarse.", value=120.0, limit=200.0, unit="dpi")
    server.script(Ready(findings=(low,), files={OutputFormat.PRINT_PDF: b"%PDF of my own"}))
    design = client.designs.submit(PNG, mockup_scenes=())
    ended = design.wait(timeout_s=30)

    assert ended.print_verdict == report_pb2.PRINT_VERDICT_WARN
    assert [(finding.code, finding.value) for finding in ended.findings] == [("RESOLUTION", 120.0)]
    assert len(ended.mockups) == 0
    assert events(server.design(design.id)) == ["submitted", "imaging_started", "ready"]


def test_a_cancelled_run_shows_the_files_of_the_last_finished_one(server: FakeServer, client: Client) -> None:
    """Results of a run that was stopped after imaging go, and those of the last good run come back."""
    design = client.designs.submit(PNG, width_mm=50)
    design.wait(timeout_s=30)
    server.script(Held())
    design.reprocess(width_mm=70)
    halfway = server.advance(design.id)
    assert ({artifact.generation for artifact in halfway.artifacts}, halfway.geometry.cut_width_mm) == ({2}, 70)

    cancelled = design.cancel()
    assert {artifact.generation for artifact in cancelled.artifacts} == {1}
    assert (cancelled.geometry.cut_width_mm, len(cancelled.mockups)) == (50, 4)
    assert cancelled.resolved_spec.width_mm == 70


def test_equal_unfinished_work_is_joined(server: FakeServer, client: Client) -> None:
    """While a design is unfinished an equal submit finds it; afterwards it is new work."""
    server.script(Held())
    first = client.designs.submit(PNG, width_mm=50)
    second = client.designs.submit(PNG, width_mm=50, border_mm=3.0)
    assert (second.id, second.deduplicated) == (first.id, True)
    with pytest.raises(PreconditionError, match="DESIGN_RUNNING"):
        first.delete()
    server.finish(first.id)
    server.script(Held())
    third = client.designs.submit(PNG, width_mm=50)
    assert third.id != first.id
    first.delete()  # and work that goes on is still found when equal work that ended goes away
    assert client.designs.submit(PNG, width_mm=50).id == third.id


def test_an_outcome_that_cannot_be_is_refused() -> None:
    """A reason in small letters and a design held at its end are mistakes of the test, told at once."""
    with pytest.raises(ValueError, match="UPPER_SNAKE"):
        Failed("no subject")
    with pytest.raises(ValueError, match="cannot be held READY"):
        Held(DesignState.READY)


@pytest.mark.parametrize("wrong", [Ready, "READY", None, [Ready()]])
def test_what_is_no_outcome_is_refused_where_it_is_written(server: FakeServer, wrong: Any) -> None:
    """A class in place of its object, a word or a list is told at once, and not by designs that get stuck."""
    with pytest.raises(TypeError, match="is not one of Ready"):
        server.script(Ready(), wrong)
    with pytest.raises(TypeError, match="is not one of Ready"):
        server.outcome = wrong
    assert server.outcome == Ready()


def test_a_function_that_gives_no_outcome_accepts_nothing(server: FakeServer, client: Client) -> None:
    """The submit fails as by a fault of the server, and leaves no design behind."""
    server.outcome = lambda _: None  # type: ignore[assignment, return-value]  # what is tested
    with pytest.raises(ApiError, match="INTERNAL"):
        client.designs.submit(PNG)
    assert not server.designs


def test_results_that_cannot_be_are_refused() -> None:
    """Files of no kind or without bytes, and findings that are none, are mistakes of the test."""
    files: list[tuple[Any, Any, str]] = [("PDF", b"", "'PDF' is not one of"), ("PRINT_PDF", "text", "str is not bytes")]
    for kind, data, why in files:
        with pytest.raises((TypeError, ValueError), match=why):
            Ready(files={kind: data})
    with pytest.raises(TypeError, match="'LOW' is no Finding"):
        Ready(findings=("LOW",))  # type: ignore[arg-type]  # what is tested


def test_a_server_that_was_never_started_has_no_address() -> None:
    """Whoever forgets `with` hears of it, rather than of a service that is away."""
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = FakeServer().settings

"""How designs look on a terminal."""

from __future__ import annotations

import pytest

from cutline.cli.printing import design_table, print_design, print_table
from cutline.v1 import design_pb2


def test_values_of_a_later_release_are_shown_by_their_number(capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict, level, method or kind of file that this release does not know fails neither `get` nor `list`."""
    design = design_pb2.Design(id="d", print_verdict=91, cutout_method=92)  # type: ignore[arg-type]  # a later contract
    design.geometry.cut_width_mm = 50
    design.findings.add(code="NEW", level=93)
    design.artifacts.add(kind=94)
    print_design(design)
    print_table(design_table([design]))
    shown = capsys.readouterr().out
    assert {number: shown.count(number) for number in ("91", "92", "93", "94")} == {"91": 2, "92": 1, "93": 1, "94": 1}

"""How queues look on a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from cutline.cli.queue_printing import by_reason, dead_letters_table, span, stats_table
from cutline.v1 import job_pb2
from cutline.v1 import queue_service_pb2 as pb


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (192, "3m12s"),
        (3_599.6, "1h00m"),
        (7_500, "2h05m"),
        (180_000, "2d02h"),
    ],
)
def test_a_span_is_told_in_at_most_two_units(seconds: float, text: str) -> None:
    """Short spans keep a decimal, long ones lose what nobody reads."""
    assert span(seconds) == text


def test_the_largest_count_is_told_first() -> None:
    """Reasons of equal count come by name."""
    assert by_reason({"B": 1, "C": 5, "A": 1}) == "5 C, 1 A, 1 B"


def test_markup_and_values_of_a_later_release_are_shown_as_they_are() -> None:
    """A message is text, whatever it holds, and an unknown stage or lane is a number."""
    out = StringIO()
    shown = Console(file=out, width=300)
    shown.print(dead_letters_table([job_pb2.DeadLetter(id="d", message="[red]boom[/red]", reason="INTERNAL")]))
    stats = pb.Stats()
    stats.queues.add(stage=9, lane=8, waiting_count=7)
    shown.print(stats_table(stats))
    text = out.getvalue()
    assert "[red]boom[/red]" in text
    assert text.splitlines()[-1].split()[:3] == ["9", "8", "7"]

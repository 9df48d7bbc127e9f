"""Requests from arguments."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from cutline.client import Client, job_options
from cutline.testing import FakeServer

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"title": 7}, "title: 7 is no text"),
        ({"reference": 1234}, "reference: 1234 is no text"),
        ({"labels": {"order": 7}}, r"labels\[order\]: 7 is no text"),
        ({"labels": {7: "order"}}, "labels: 7 is no text"),
        ({"request_id": uuid4()}, r"request_id: UUID\(.* is no text"),
    ],
)
def test_what_is_no_text_is_told_by_its_field(arguments: dict[str, Any], field: str) -> None:
    """A number or an id in place of text is named with its value, and no design is made."""
    with FakeServer() as server, Client(server.settings) as client:
        with pytest.raises(TypeError, match=field):
            client.designs.submit(PNG, **arguments)
        assert not server.designs


def test_a_choice_that_does_not_exist_is_told_with_those_that_do() -> None:
    """A state in small letters, one text in place of a list, and a lane in small letters are told by their field."""
    with FakeServer() as server, Client(server.settings) as client:
        for states, wrong in ((["ready"], "'ready'"), ("READY", "'R'")):
            with pytest.raises(ValueError, match=f"states: {wrong} is not one of QUEUED, PROCESSING, READY"):
                client.designs.list(states=states)
    with pytest.raises(ValueError, match="lane: 'express' is not one of EXPRESS, STANDARD, BULK"):
        job_options(lane="express")  # type: ignore[arg-type]  # what is tested


def test_a_long_file_name_is_a_title_in_part() -> None:
    """A name may have 255 characters and a title 200; nobody who gave no title hears of that."""
    name = "x" * 240 + ".png"
    with FakeServer() as server, Client(server.settings) as client:
        client.designs.submit(PNG, filename=name)
        (design,) = server.designs
    assert (design.artwork.filename, design.title) == (name, "x" * 200)

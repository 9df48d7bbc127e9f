"""A target of several addresses: every replica behind it is asked."""

from __future__ import annotations

import time
from contextlib import suppress

from cutline.client import Client, UnauthenticatedError
from cutline.client.settings import ClientSettings
from cutline.testing import FakeServer

PATIENCE_S = 30.0


def test_calls_are_dealt_out_to_every_address() -> None:
    """Of two replicas behind one target each is asked, not only the one that was connected to first."""
    with FakeServer() as first, FakeServer() as second:
        target = f"ipv4:{first.target},{second.target}"
        deadline_s = time.monotonic() + PATIENCE_S
        with Client(ClientSettings(target, target, "")) as client:
            # Neither knows the key, and both note the call before they refuse it.
            while not (first.requests and second.requests) and time.monotonic() < deadline_s:
                with suppress(UnauthenticatedError):
                    client.designs.get("no-design")

        assert first.requests
        assert second.requests

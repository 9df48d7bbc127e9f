"""Where the client keeps to TLS and to names, whatever a server says."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

import nats.errors
import pytest
from nats.aio.client import Client, Srv
from structlog.testing import capture_logs

from cutline.messaging.broker_client import BrokerClient
from cutline.messaging.connection import Broker

NAME = "nats.cutline.example"


def connected(addresses: list[str], at: str, info: dict[str, Any]) -> BrokerClient:
    """A client that is talking to a node, which it may have heard of from another."""
    client = BrokerClient(addresses, None)
    client._server_pool = [Srv(urlparse(at))]
    client._current_server = client._server_pool[0]
    client._server_info = info
    client.options["dont_randomize"] = True
    return client


async def test_nodes_that_are_announced_by_address_are_verified_by_the_configured_name() -> None:
    """Also those that an announced node tells of: no certificate holds the address of another node."""
    client = connected([f"tls://{NAME}:4222"], "tls://10.0.0.2:4222", {"tls_required": True})

    await client._process_info({"connect_urls": ["10.0.0.3:4222", "nats-2.example:4222"]}, initial_connection=True)

    names = {server.uri.hostname: server.tls_name for server in client._server_pool}
    assert names == {"10.0.0.2": None, "10.0.0.3": NAME, "nats-2.example": None}


@pytest.mark.parametrize(("address", "spoken"), [("tls://n:4222", False), ("nats://n:4222", True)])
def test_nothing_is_said_in_plain_text_where_tls_is_asked_for(address: str, spoken: bool) -> None:
    """A server that offers no TLS gets neither a login nor a name."""
    client = connected([address], address, {"tls_required": False})
    client.options.update(verbose=False, pedantic=False, name=None, no_echo=False, token=None, user=None, password=None)

    if spoken:
        assert client._connect_command().startswith(b"CONNECT ")
    else:
        with pytest.raises(nats.errors.Error, match="offers none"):
            client._connect_command()


async def test_a_connection_is_told_without_its_login() -> None:
    """Nodes that are given different logins keep them in their addresses, which the log must not show."""
    broker = Broker("nats://u:secret@a:4222,nats://v:secret@b:4222", name="test", on_fatal=lambda _: None)
    broker.client._current_server = Srv(urlparse("nats://v:secret@b:4222"))
    broker.client._status = Client.CONNECTED

    with capture_logs() as lines:
        await broker._has_connected()

    assert [line["node"] for line in lines] == ["b:4222"]

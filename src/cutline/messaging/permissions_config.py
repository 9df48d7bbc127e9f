"""The broker's accounts and users as configuration of nats-server, for the embedded stack and for deployments alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cutline.messaging.permissions import ACCOUNT, SYSTEM_ACCOUNT, BusUser, Permissions, permissions
from cutline.messaging.topology import Topology

_NOTHING: Final = {"deny": [">"]}
"""An empty list of what is allowed would allow everything."""


def accounts_config(
    topology: Topology, nkeys: Mapping[BusUser, str], *, system_nkey: str | None = None
) -> dict[str, Any]:
    """The part of the configuration that names accounts and users; nobody else can log in.

    Args:
        topology: Names streams, consumers and subjects.
        nkeys: Public NKey (`U...`) of every user that may log in.
        system_nkey: Public NKey of an operator's tools in the broker's own account; None for nobody.
    """
    users = [{"nkey": nkey, "permissions": _permissions(permissions(user, topology))} for user, nkey in nkeys.items()]
    return {
        "accounts": {
            ACCOUNT: {"jetstream": "enabled", "users": users},
            SYSTEM_ACCOUNT: {"users": [{"nkey": system_nkey}] if system_nkey else []},
        },
        "system_account": SYSTEM_ACCOUNT,
    }


def _permissions(allowed: Permissions) -> dict[str, Any]:
    return {
        "publish": {"allow": list(allowed.publish_allow)} if allowed.publish else _NOTHING,
        "subscribe": {"allow": list(allowed.subscribe_allow)} if allowed.subscribe else _NOTHING,
    }

"""A broker that lets in whom it knows, over TLS: what its nodes need for that, and the keys of its users."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import nkeys

from cutline.embedded.instance import Instance
from cutline.messaging.permissions import BusUser
from cutline.messaging.permissions_config import accounts_config
from cutline.messaging.topology import Topology

HANDSHAKE_S: Final = 5
"""How long a handshake may take; the default, 2 s, is short for a machine where everything starts at once."""


@dataclass(frozen=True, slots=True)
class NKey:
    """A user's key: the user signs with the seed, the broker knows the public half."""

    seed: str = field(repr=False)
    public: str

    @classmethod
    def of(cls, instance: Instance, user: str) -> NKey:
        """The key of a user, the same as long as the data is."""
        secret = instance.secret(f"nats-nkey-{user}")
        raw = hashlib.sha256(secret.encode()).digest()
        seed: bytes = nkeys.encode_seed(raw, nkeys.PREFIX_BYTE_USER)  # type: ignore[no-untyped-call]  # the library's lack
        pair = nkeys.from_seed(bytearray(seed))  # type: ignore[no-untyped-call]  # as above
        return cls(seed.decode(), pair.public_key.decode())


@dataclass(frozen=True, slots=True)
class NatsSecurity:
    """How nodes show themselves, and whom they let in.

    Attributes:
        certificate: Of every node, with its chain: for clients and for the other nodes, so for both ends of TLS.
        key: Its key.
        ca: Vouches for the nodes and for clients, which have to show a certificate too.
        users: Public NKey of each user.
        topology: What the users' permissions name.
    """

    certificate: Path
    key: Path
    ca: Path
    users: Mapping[BusUser, str]
    topology: Topology = field(default_factory=Topology)

    def listener(self) -> dict[str, Any]:
        """The part of the configuration that is about TLS, for clients and for routes."""
        return {
            "cert_file": str(self.certificate),
            "key_file": str(self.key),
            "ca_file": str(self.ca),
            "verify": True,
            "timeout": HANDSHAKE_S,
        }

    def accounts(self) -> dict[str, Any]:
        """The part of the configuration that is about users."""
        return accounts_config(self.topology, self.users)

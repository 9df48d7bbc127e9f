"""A private certificate authority of one data folder, and what it vouches for: the programs of this machine.

The files lie in `tls` below the folder, for the owner only. They are made once, so that a client which trusts the
authority goes on trusting it after a restart; certificates near their end are made anew by the same authority.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import trustme
from cryptography import x509

from cutline.embedded.instance import DamagedDataError, write_private
from cutline.embedded.ports import LOOPBACK

SERVER_NAMES: Final = (LOOPBACK, "localhost", "::1")
VALID_FOR: Final = timedelta(days=365)
RENEWED_BEFORE: Final = timedelta(days=120)
"""Certificates are looked at when a stack starts: what is left then must last as long as anybody lets one run."""
_OWNER: Final = "Cutline, embedded stack"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its chain, and its key: two files in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files of one authority.

    Attributes:
        authority: The certificate to trust.
        server: What servers show; good for 127.0.0.1, ::1 and localhost.
        client: What clients show where a server asks for a certificate.
    """

    authority: Path
    server: KeyPair
    client: KeyPair

    @classmethod
    def of(cls, folder: Path, *, now: datetime | None = None) -> Certificates:
        """The certificates below a data folder, made or renewed where need be.

        Args:
            folder: The data folder of the stack.
            now: The time to count from; None for the clock's.

        Raises:
            DamagedDataError: A file of the authority cannot be read as what it should be.
        """
        tls = folder / "tls"
        tls.mkdir(mode=0o700, exist_ok=True)
        now = now or datetime.now(UTC)
        certificates = cls(tls / "ca.pem", _pair(tls, "server"), _pair(tls, "client"))
        authority, fresh = _authority(certificates.authority, tls / "ca-key.pem")
        for pair, names in ((certificates.server, SERVER_NAMES), (certificates.client, ("client.cutline",))):
            if fresh or not _lasts(pair, now + RENEWED_BEFORE):
                not_after = now.replace(tzinfo=None) + VALID_FOR
                leaf = authority.issue_cert(*names, organization_name=_OWNER, not_after=not_after)
                # The key first: a certificate that was written tells that its key was, too.
                write_private(pair.key, leaf.private_key_pem.bytes())
                write_private(pair.certificate, b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        return certificates

    def context(self) -> ssl.SSLContext:
        """What a client of these servers makes its connections with: it trusts this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority)
        return context


def _pair(folder: Path, name: str) -> KeyPair:
    return KeyPair(folder / f"{name}.pem", folder / f"{name}-key.pem")


def _authority(certificate: Path, key: Path) -> tuple[trustme.CA, bool]:
    """The authority, and whether it is new, so that nothing it should have signed is worth anything."""
    if certificate.exists():
        try:
            return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes()), False
        except (OSError, ValueError):
            message = f"{certificate} or its key is damaged; remove {certificate.parent} to have new ones made"
            raise DamagedDataError(message) from None
    authority = trustme.CA(organization_name=_OWNER)
    write_private(key, authority.private_key_pem.bytes())
    write_private(certificate, authority.cert_pem.bytes())
    return authority, True


def _lasts(pair: KeyPair, until: datetime) -> bool:
    """Whether a certificate and its key are there and valid until then."""
    try:
        return x509.load_pem_x509_certificate(pair.certificate.read_bytes()).not_valid_after_utc > until and (
            pair.key.exists()
        )
    except (OSError, ValueError):
        return False

"""A stack's own authority: made once, private, renewed before anything expires."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from cutline.embedded.certificates import RENEWED_BEFORE, SERVER_NAMES, VALID_FOR, Certificates
from cutline.embedded.instance import DamagedDataError


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the authority."""
    return {path.name: path.read_bytes() for path in (folder / "tls").iterdir()}


def test_certificates_are_made_once(tmp_path: Path) -> None:
    """A second start finds the same files, which nobody but the owner reads."""
    Certificates.of(tmp_path)
    first = contents(tmp_path)
    Certificates.of(tmp_path)

    assert contents(tmp_path) == first
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()} == {0o600}


def test_servers_are_good_for_this_machine_only(tmp_path: Path) -> None:
    """The server's certificate names 127.0.0.1, ::1 and localhost, and belongs to its key and its authority."""
    certificates = Certificates.of(tmp_path)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
        certificates.server.certificate, certificates.server.key
    )
    [server] = x509.load_pem_x509_certificates(certificates.server.certificate.read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert {str(name.value) for name in names} == set(SERVER_NAMES)
    server.verify_directly_issued_by(x509.load_pem_x509_certificate(certificates.authority.read_bytes()))


def test_what_nears_its_end_is_renewed_by_the_same_authority(tmp_path: Path) -> None:
    """Clients go on trusting the authority they know; a start well before the end changes nothing."""
    now = datetime.now(UTC)
    Certificates.of(tmp_path, now=now)
    first = contents(tmp_path)
    Certificates.of(tmp_path, now=now + VALID_FOR - RENEWED_BEFORE - timedelta(days=1))
    assert contents(tmp_path) == first

    Certificates.of(tmp_path, now=now + VALID_FOR - RENEWED_BEFORE + timedelta(days=1))
    renewed = contents(tmp_path)

    assert {name for name in first if first[name] == renewed[name]} == {"ca.pem", "ca-key.pem"}


def test_a_lost_key_is_made_again(tmp_path: Path) -> None:
    """A certificate without its key is no pair: both are new."""
    certificates = Certificates.of(tmp_path)
    before = certificates.server.certificate.read_bytes()
    certificates.server.key.unlink()
    Certificates.of(tmp_path)

    assert certificates.server.certificate.read_bytes() != before
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
        certificates.server.certificate, certificates.server.key
    )


def test_a_damaged_authority_is_explained(tmp_path: Path) -> None:
    """Nobody silently gets another authority; the message names the files and what to do."""
    Certificates.of(tmp_path).authority.write_bytes(b"no certificate")

    with pytest.raises(DamagedDataError, match=r"ca\.pem or its key is damaged; remove .*tls"):
        Certificates.of(tmp_path)

"""Certificates, keys and roots of TLS: PEM files that are judged at start and read anew when they are needed.

Whoever renews them replaces the files while services run, as Kubernetes does with the files of a Secret. So nothing
here keeps what it has read, and a certificate is never taken with the key of another one.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cutline.runtime.environment import EnvReader

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_READS: Final = 10
"""How often files are read again that were replaced meanwhile."""


class TlsFileError(Exception):
    """Files that cannot be used; the message says which and why, and holds nothing of a key."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its chain, and the key that belongs to it, both PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class KeyPairFiles:
    """Where a certificate with its chain is, and its key."""

    certificate_path: Path
    key_path: Path

    @classmethod
    def read(cls, env: EnvReader, *, certificate_name: str, key_name: str) -> Self | None:
        """Reads both variables; None where neither is set. One alone, or what is no pair, is a problem.

        Args:
            env: Where from.
            certificate_name: Variable with the path of the certificate.
            key_name: Variable with the path of its key.
        """
        given = {name: env.is_set(name) for name in (certificate_name, key_name)}
        certificate_path, key_path = env.file_path(certificate_name), env.file_path(key_name)
        for name, other in ((certificate_name, key_name), (key_name, certificate_name)):
            if given[name] and not given[other]:
                env.refuse(other, f"is required, because {name} is set")
        if certificate_path is None or key_path is None:
            return None
        files = cls(certificate_path, key_path)
        try:
            files.load()
        except TlsFileError as error:
            env.refuse(certificate_name, str(error))
        return files

    def load(self) -> KeyPair:
        """What the files hold now, which belongs together.

        Raises:
            TlsFileError: A file cannot be read, or they are no pair.
        """
        return self.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def load_into(self, context: ssl.SSLContext) -> KeyPair:
        """Has a context show the certificate; what it shows is what is returned.

        Raises:
            TlsFileError: A file cannot be read, or they are no pair.
        """
        for _ in range(_READS):
            pair = self.read_bytes()
            problem = self._load_once(context)
            if self.read_bytes() == pair:  # what was judged is what was read
                if problem:
                    raise TlsFileError(problem)
                return pair
        message = f"{self.certificate_path} and {self.key_path} are being written"
        raise TlsFileError(message)

    def read_bytes(self) -> KeyPair:
        """What the files hold now, whether or not it can be used.

        Raises:
            TlsFileError: A file cannot be read.
        """
        try:
            return KeyPair(self.certificate_path.read_bytes(), self.key_path.read_bytes())
        except OSError as error:
            raise TlsFileError(_unreadable(error)) from error

    def _load_once(self, context: ssl.SSLContext) -> str:
        """Says what is wrong; empty where nothing is."""
        try:
            context.load_cert_chain(self.certificate_path, self.key_path, password=_refuse_password)
        except _EncryptedKeyError:
            return f"the key in {self.key_path} wants a password, and nobody is there to give one"
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                return f"the key in {self.key_path} is not the one of the certificate in {self.certificate_path}"
            why = f"cannot be used ({error.reason})" if error.reason else "are no certificate and key in PEM form"
            return f"{self.certificate_path} and {self.key_path} {why}"
        except OSError as error:
            return _unreadable(error)
        return ""


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How a client makes sure of its server: by its roots and its name; and what it shows of itself.

    Attributes:
        ca_path: PEM file with the roots to trust.
        pair: Shown to the server where that asks for it.
    """

    ca_path: Path
    pair: KeyPairFiles | None = None

    @classmethod
    def read(cls, env: EnvReader, *, ca_name: str, certificate_name: str, key_name: str) -> Self | None:
        """Reads the three variables; None where none is set. A certificate is shown to a verified server only.

        Args:
            env: Where from.
            ca_name: Variable with the path of the roots.
            certificate_name: Variable with the path of the client's certificate.
            key_name: Variable with the path of its key.
        """
        ca_path = read_roots(env, ca_name)
        pair = KeyPairFiles.read(env, certificate_name=certificate_name, key_name=key_name)
        if pair is not None and not env.is_set(ca_name):
            env.refuse(ca_name, f"is required, because {certificate_name} is set")
        return cls(ca_path, pair) if ca_path is not None else None

    def context(self) -> ssl.SSLContext:
        """What one connection is made with, from the files as they are now.

        Raises:
            TlsFileError: A file cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies, and compares the name
        context.load_verify_locations(cadata=_without_remarks(load_roots(self.ca_path)))
        if self.pair is not None:
            self.pair.load_into(context)
        return context


def read_roots(env: EnvReader, name: str) -> Path | None:
    """The path of a PEM file with roots to trust; a file without any is a problem.

    Args:
        env: Where from.
        name: Variable with the path.
    """
    path = env.file_path(name)
    if path is not None:
        try:
            load_roots(path)
        except TlsFileError as error:
            env.refuse(name, str(error))
    return path


def load_roots(path: Path) -> bytes:
    """The roots that a PEM file holds now.

    Raises:
        TlsFileError: It cannot be read or holds no certificate.
    """
    try:
        roots = path.read_bytes()
    except OSError as error:
        raise TlsFileError(_unreadable(error)) from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=_without_remarks(roots))
    except (ssl.SSLError, ValueError):  # nothing at all is a ValueError
        message = f"{path} holds no certificate in PEM form"
        raise TlsFileError(message) from None
    return roots


def _without_remarks(pem: bytes) -> str:
    """The certificates alone: bundles name them between, in letters that OpenSSL does not take."""
    return "\n".join(found.decode("ascii", "replace") for found in _CERTIFICATE.findall(pem))


class _EncryptedKeyError(Exception):
    """The key wants a password; OpenSSL would ask for it on the terminal."""


def _refuse_password() -> str:
    raise _EncryptedKeyError


def _unreadable(error: OSError) -> str:
    return f"{error.filename} cannot be read ({error.strerror or type(error).__name__})"

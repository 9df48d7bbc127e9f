"""What a gRPC server shows in TLS handshakes, taken from files that are renewed while it runs.

gRPC asks before each handshake whether there is something new. Connections that exist keep what they were made with;
clients are told to reconnect by their age.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import grpc

from cutline.runtime.logging import get_logger
from cutline.runtime.settings import GrpcTlsSettings
from cutline.runtime.tls import KeyPair, TlsFileError, load_roots

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What all files held at one moment; `client_roots` is None where no client certificate is asked for."""

    pair: KeyPair
    client_roots: bytes | None

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(self.pair.key, self.pair.certificate)], root_certificates=self.client_roots
        )


class ServerCertificates:
    """The files of a server, as they were when they could last be used.

    Args:
        settings: Where they are.

    Raises:
        TlsFileError: They cannot be used now.
    """

    def __init__(self, settings: GrpcTlsSettings) -> None:
        self._settings = settings
        self._shown = self._load()
        self._problem = ""
        self._one_at_a_time = threading.Lock()

    def credentials(self) -> grpc.ServerCredentials:
        """What the server is bound with; it goes on reading the files."""
        return grpc.dynamic_ssl_server_credentials(
            self._shown.configuration(),
            self._renewed,  # type: ignore[arg-type]  # None means that nothing is new, which the types do not know
            require_client_authentication=self._settings.client_ca_path is not None,
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """What differs from what is shown, or None; called by threads of gRPC before each handshake.

        What cannot be used is told once and leaves everything as it was: a server with the certificate of yesterday
        serves, one with none does not.
        """
        with self._one_at_a_time:
            try:
                found = self._shown if self._read() == self._shown else self._load()
            except TlsFileError as error:
                if str(error) != self._problem:
                    log.error("rpc.certificates_unusable", problem=str(error))  # noqa: TRY400  (the message says it all)
                self._problem = str(error)
                return None
            self._problem = ""
            if found == self._shown:
                return None
            self._shown = found
            log.info("rpc.certificates_renewed")
            return found.configuration()

    def _load(self) -> _Shown:
        path = self._settings.client_ca_path
        return _Shown(self._settings.pair.load(), None if path is None else load_roots(path))

    def _read(self) -> _Shown:
        """The files unjudged, which costs nothing beside a handshake; nearly always they are the ones seen last."""
        path = self._settings.client_ca_path
        try:
            return _Shown(self._settings.pair.read_bytes(), None if path is None else path.read_bytes())
        except OSError as error:
            message = f"{path} cannot be read ({error.strerror or type(error).__name__})"
            raise TlsFileError(message) from error

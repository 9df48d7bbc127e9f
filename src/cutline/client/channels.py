"""Channels and HTTP clients as the settings want them, and what every call says about its caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc
import httpx
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from cutline.client.errors import ApiError, BadSettingError
from cutline.client.proxies import LOOPBACK_HOSTS, channel_options, shared_host
from cutline.client.settings import CA_FILE, CLIENT_CERT_FILE, CLIENT_KEY_FILE, ClientSettings
from cutline.telemetry.propagation import inject

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
# The services allow pings every 10 s; a silent connection is noticed after 40 s.
KEEPALIVE_MS: Final = 30_000
KEEPALIVE_TIMEOUT_MS: Final = 10_000
# gRPC's own pauses between two connects, give or take a fifth: a call that finds a channel within one fails without
# having tried. The five tries of a call last for 1.5 s at least, so one of them comes after a connect.
FIRST_RECONNECT_MS: Final = 100
LONGEST_RECONNECT_MS: Final = 1_000

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    # Else a keepalive waits behind pings that measure the connection, and those have a minute.
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.initial_reconnect_backoff_ms", FIRST_RECONNECT_MS),
    ("grpc.max_reconnect_backoff_ms", LONGEST_RECONNECT_MS),
    # Streams are dealt out to every address of a target: the usual policy stays with the first that answered, and would
    # never come to a replica that was added.
    ("grpc.service_config", '{"loadBalancingConfig":[{"round_robin":{}}]}'),
    # Tries are made here, where the deadline and the server's wishes are known; two layers would multiply.
    ("grpc.enable_retries", 0),
)

Metadata = tuple[tuple[str, str], ...]

_Http = TypeVar("_Http", httpx.Client, httpx.AsyncClient)


class Caller:
    """Who calls, with what, in which trace.

    Args:
        settings: Holds the credential.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._version = f"cutline-python/{version('cutline')}"
        self._tracer = trace.get_tracer("cutline.client")

    def metadata(self) -> Metadata:
        """The metadata of a try of a call."""
        pairs = {"authorization": f"Bearer {self._settings.credential()}", "x-client-version": self._version}
        inject(pairs)
        return tuple(pairs.items())

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """A client span around one thing the caller asked for."""
        with self._tracer.start_as_current_span(
            f"cutline.{name}", kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except ApiError as error:
                span.set_attribute("error.type", error.reason or error.code.name)
                span.set_status(Status(StatusCode.ERROR))
                raise


def options_of(target: str) -> tuple[tuple[str, Any], ...]:
    """The options of a channel to a target."""
    # gRPC takes a list of addresses for the name that a certificate has to hold, and no certificate does.
    name = shared_host(target)
    return (*_OPTIONS, *channel_options(target), *((("grpc.default_authority", name),) if name else ()))


def credentials_of(settings: ClientSettings, target: str) -> grpc.ChannelCredentials | None:
    """What a channel to a target encrypts with; None where it does not.

    Raises:
        BadSettingError: A file for TLS cannot be read.
    """
    if not settings.speaks_tls(target):
        return None
    return grpc.ssl_channel_credentials(
        root_certificates=_read(CA_FILE, settings.ca_file),
        private_key=_read(CLIENT_KEY_FILE, settings.client_key_file),
        certificate_chain=_read(CLIENT_CERT_FILE, settings.client_cert_file),
    )


def http_client(kind: type[_Http], settings: ClientSettings) -> _Http:
    """An HTTP client for uploads and downloads; proxies of the environment apply to other machines only.

    Args:
        kind: Which.
        settings: May name roots to trust beside the public ones.

    Raises:
        BadSettingError: The roots to trust cannot be read.
    """
    trusted = httpx.create_ssl_context()
    if settings.ca_file is not None:
        try:
            trusted.load_verify_locations(settings.ca_file)
        except OSError as error:
            raise _unreadable(CA_FILE, settings.ca_file, error) from None
    try:
        return kind(verify=trusted, mounts={f"all://{host}": None for host in LOOPBACK_HOSTS})
    except ImportError:  # a SOCKS proxy takes a package that the SDK does not bring; most calls need no HTTP at all
        return kind(verify=trusted, trust_env=False)


def _read(name: str, path: str | PathLike[str] | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(name, path, error) from None


def _unreadable(name: str, path: str | PathLike[str], error: OSError) -> BadSettingError:
    return BadSettingError(f"{name}: {path}: {error.strerror or error}")

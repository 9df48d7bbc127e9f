"""Settings that several services share; each service composes its own frozen dataclass of them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

import nkeys

from cutline.runtime.environment import EnvReader, ListenAddress
from cutline.runtime.tls import ClientTls, KeyPairFiles, read_roots

MIN_DEVELOPMENT_KEY_CHARACTERS = 16
LONGEST_CONNECTION_AGE_S = 7 * 86_400.0
"""gRPC counts the milliseconds of a connection with 31 bits, which end after 24 days."""
MOST_STREAMS = 1_000_000
NKEY_SEED_BYTES: Final = 32
_SUBJECT: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ShellSettings:
    """What every process has: its HTTP endpoint, its logs and its traces.

    Attributes:
        http_listen: Where /livez, /readyz and /metrics answer.
        log_level: Least severe line written.
        otlp_endpoint: OTLP/gRPC receiver of traces; empty sends none.
        trace_sample_ratio: Share of traces begun here that is kept, 0 to 1; a caller's own decision goes first.
    """

    http_listen: ListenAddress
    log_level: LogLevel = LogLevel.INFO
    otlp_endpoint: str = ""
    trace_sample_ratio: float = 0.1

    @classmethod
    def read(cls, env: EnvReader, *, default_http_port: int = 0) -> ShellSettings:
        """Reads the group; without a port given the system chooses one."""
        return cls(
            http_listen=env.listen_address("CUTLINE_HTTP_LISTEN", f"127.0.0.1:{default_http_port}"),
            log_level=env.choice("CUTLINE_LOG_LEVEL", LogLevel.INFO),
            otlp_endpoint=env.url("CUTLINE_OTLP_ENDPOINT", "", schemes=("http", "https")),
            trace_sample_ratio=env.number("CUTLINE_TRACE_SAMPLE_RATIO", 0.1, low=0, high=1),
        )


@dataclass(frozen=True, slots=True)
class GrpcTlsSettings:
    """What a gRPC server shows, and whom it lets in.

    Attributes:
        pair: Its certificate and key.
        client_ca_path: PEM file with the roots of client certificates, which are required then; None asks for none.
    """

    pair: KeyPairFiles
    client_ca_path: Path | None = None

    @classmethod
    def read(cls, env: EnvReader) -> GrpcTlsSettings | None:
        """Reads the group; None where the server speaks plaintext."""
        name, ca_name = "CUTLINE_GRPC_TLS_CERT_FILE", "CUTLINE_GRPC_TLS_CLIENT_CA_FILE"
        pair = KeyPairFiles.read(env, certificate_name=name, key_name="CUTLINE_GRPC_TLS_KEY_FILE")
        client_ca_path = read_roots(env, ca_name)
        if env.is_set(ca_name) and not env.is_set(name):
            env.refuse(name, f"is required, because {ca_name} is set")
        return cls(pair, client_ca_path) if pair is not None else None


@dataclass(frozen=True, slots=True)
class GrpcSettings:
    """How a gRPC server listens and when it lets go of connections.

    Attributes:
        listen: Address.
        reflection: Whether server reflection answers.
        drain_pause_s: How long to go on serving after readiness flipped, so that balancers notice.
        drain_grace_s: How long running calls may go on after the drain began.
        max_connection_age_s: When a connection is told to reconnect, so that new replicas get traffic.
        max_connection_age_grace_s: How long its running calls may go on after that.
        keepalive_s: Silence of a connection after which its other end is asked for a sign of life. Clients may ask as
            often, and up to three times as often.
        keepalive_timeout_s: How long that sign may take before the connection counts as dead.
        reuse_port: Whether other processes of this user may serve the same port (Linux).
        write_timeout_s: How long a caller may leave unread what it asked for before its call is cut.
        max_message_bytes: Largest request.
        max_streams: Watch streams open in this process.
        max_streams_per_tenant: Watch streams open for one tenant in this process.
        max_streams_per_key: Watch streams open with one credential in this process.
        tls: Its certificate, and whose it asks for; None speaks plaintext.
    """

    listen: ListenAddress
    reflection: bool = False
    drain_pause_s: float = 0.0
    drain_grace_s: float = 20.0
    max_connection_age_s: float = 1800.0
    max_connection_age_grace_s: float = 720.0
    keepalive_s: float = 30.0
    keepalive_timeout_s: float = 10.0
    reuse_port: bool = False
    write_timeout_s: float = 30.0
    max_message_bytes: int = 1_048_576
    max_streams: int = 10_000
    max_streams_per_tenant: int = 2_000
    max_streams_per_key: int = 1_000
    tls: GrpcTlsSettings | None = None

    @classmethod
    def read(cls, env: EnvReader, *, default_port: int = 0) -> GrpcSettings:
        """Reads the group; without a port given the system chooses one."""
        return cls(
            listen=env.listen_address("CUTLINE_GRPC_LISTEN", f"127.0.0.1:{default_port}"),
            reflection=env.flag("CUTLINE_GRPC_REFLECTION", default=False),
            drain_pause_s=env.duration_s("CUTLINE_GRPC_DRAIN_PAUSE", 0.0, high=60),
            drain_grace_s=env.duration_s("CUTLINE_GRPC_DRAIN_GRACE", 20.0, high=600),
            max_connection_age_s=env.duration_s(
                "CUTLINE_GRPC_MAX_CONNECTION_AGE", 1800.0, low=1, high=LONGEST_CONNECTION_AGE_S
            ),
            max_connection_age_grace_s=env.duration_s(
                "CUTLINE_GRPC_MAX_CONNECTION_AGE_GRACE", 720.0, low=1, high=LONGEST_CONNECTION_AGE_S
            ),
            keepalive_s=env.duration_s("CUTLINE_GRPC_KEEPALIVE", 30.0, low=0.1, high=3600),
            keepalive_timeout_s=env.duration_s("CUTLINE_GRPC_KEEPALIVE_TIMEOUT", 10.0, low=0.1, high=600),
            reuse_port=_read_reuse_port(env),
            write_timeout_s=env.duration_s("CUTLINE_WATCH_WRITE_TIMEOUT", 30.0, low=0.1, high=3600),
            max_message_bytes=env.integer("CUTLINE_GRPC_MAX_MESSAGE_BYTES", 1_048_576, low=65_536),
            max_streams=env.integer("CUTLINE_GRPC_MAX_STREAMS", 10_000, low=1, high=MOST_STREAMS),
            max_streams_per_tenant=env.integer("CUTLINE_GRPC_MAX_STREAMS_PER_TENANT", 2_000, low=1),
            max_streams_per_key=env.integer("CUTLINE_GRPC_MAX_STREAMS_PER_KEY", 1_000, low=1),
            tls=GrpcTlsSettings.read(env),
        )


def _read_reuse_port(env: EnvReader) -> bool:
    name = "CUTLINE_GRPC_REUSEPORT"
    wanted = env.flag(name, default=False)
    if wanted and not sys.platform.startswith("linux"):
        env.refuse(name, "works on Linux only: elsewhere one of the processes gets all connections")
    return wanted


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Who may call.

    Attributes:
        development_key: A key for the tenant `dev` with every scope; None where there is none.
    """

    development_key: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, env: EnvReader, grpc_listen: ListenAddress) -> AuthSettings:
        """Reads the group; a development key is refused where other machines could use it."""
        name = "CUTLINE_DEV_API_KEY"
        key = env.secret(name, "")
        if key and not grpc_listen.loopback:
            env.refuse(name, f"is allowed on a loopback listener only, and CUTLINE_GRPC_LISTEN is {grpc_listen}")
        if key and len(key) < MIN_DEVELOPMENT_KEY_CHARACTERS:
            env.refuse(name, f"is shorter than {MIN_DEVELOPMENT_KEY_CHARACTERS} characters")
        return cls(development_key=key or None)


def inbox_prefix(user: str) -> str:
    """Where the replies of a user of the bus arrive; the broker lets it listen there and nowhere else for replies."""
    return f"_INBOX_{user}"


@dataclass(frozen=True, slots=True)
class NatsSettings:
    """Where the bus is, and who connects to it.

    Attributes:
        url: Address of the server; the nodes of a cluster are separated by commas.
        inbox_prefix: Where replies arrive.
        nkey_seed: Seed of the user's NKey; empty where the address holds the login, or there is none.
        creds_path: File with the user's JWT and seed, for a broker that knows its users by those; read at each connect.
        tls: Roots, and the certificate to show: TLS with a server whose name they vouch for, or no connection.
    """

    url: str = field(repr=False)
    inbox_prefix: str = "_INBOX"
    nkey_seed: str = field(default="", repr=False)
    creds_path: Path | None = None
    tls: ClientTls | None = None

    @classmethod
    def read(cls, env: EnvReader, *, user: str) -> NatsSettings:
        """Reads the group.

        Args:
            env: Where from.
            user: Who connects, unless the environment says where its replies arrive.
        """
        urls = env.urls("CUTLINE_NATS_URL", schemes=("nats", "tls"))
        tls = ClientTls.read(
            env,
            ca_name="CUTLINE_NATS_CA_FILE",
            certificate_name="CUTLINE_NATS_CLIENT_CERT_FILE",
            key_name="CUTLINE_NATS_CLIENT_KEY_FILE",
        )
        return cls(
            url=",".join(urls),
            inbox_prefix=_read_inbox_prefix(env, inbox_prefix(user)),
            nkey_seed=_read_nkey_seed(env, has_login=any("@" in url for url in urls)),
            creds_path=env.file_path("CUTLINE_NATS_CREDS_FILE"),
            tls=tls,
        )


def _read_inbox_prefix(env: EnvReader, default: str) -> str:
    name = "CUTLINE_NATS_INBOX_PREFIX"
    prefix = env.text(name, default)
    if not _SUBJECT.fullmatch(prefix):
        env.refuse(name, f"{prefix[:80]!r} is not a subject of letters, digits, _ and -, with dots between")
        return default
    return prefix


def _read_nkey_seed(env: EnvReader, *, has_login: bool) -> str:
    name, creds_name = "CUTLINE_NATS_NKEY_SEED", "CUTLINE_NATS_CREDS_FILE"
    seed = env.secret(name, "")
    if seed and env.is_set(creds_name):
        env.refuse(name, f"is set and {creds_name} too; only one may be")
    if seed and has_login:
        env.refuse(name, "is set, and CUTLINE_NATS_URL holds a login; only one may be")
    if seed and not _is_user_seed(seed):
        env.refuse(name, "is not the seed of a user's NKey, which begins with SU")
        return ""
    return seed


def _is_user_seed(text: str) -> bool:
    try:
        kind, raw = nkeys.decode_seed(bytearray(text.encode()))  # type: ignore[no-untyped-call]  # the library's lack
    except (nkeys.NkeysError, ValueError):
        return False
    return bool(kind == nkeys.PREFIX_BYTE_USER and len(raw) == NKEY_SEED_BYTES)


_OF_DSN: Final = {
    "sslrootcert": "CUTLINE_POSTGRES_CA_FILE",
    "sslcert": "CUTLINE_POSTGRES_CLIENT_CERT_FILE",
    "sslkey": "CUTLINE_POSTGRES_CLIENT_KEY_FILE",
}
"""What an address of Postgres may say of TLS files, and the variable that says it."""


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Where the truth is kept, and how many connections to it are held.

    Attributes:
        dsn: Address and login; what it says of TLS holds unless `tls` is given.
        pool_min: Connections kept open.
        pool_max: Connections at most.
        tls: Roots, and the certificate to show: TLS with a server whose name they vouch for, or no connection.
    """

    dsn: str = field(repr=False)
    pool_min: int = 1
    pool_max: int = 10
    tls: ClientTls | None = None

    @classmethod
    def read(cls, env: EnvReader) -> PostgresSettings:
        """Reads the group."""
        dsn = env.secret("CUTLINE_POSTGRES_DSN")
        if dsn and not dsn.startswith(("postgres://", "postgresql://")):
            env.refuse("CUTLINE_POSTGRES_DSN", "is not a URL beginning with postgresql://")
        pool_min = env.integer("CUTLINE_POSTGRES_POOL_MIN", 1, high=1000)
        pool_max = env.integer("CUTLINE_POSTGRES_POOL_MAX", 10, low=1, high=1000)
        if pool_min > pool_max:
            env.refuse("CUTLINE_POSTGRES_POOL_MIN", f"{pool_min} is above CUTLINE_POSTGRES_POOL_MAX, {pool_max}")
        return cls(dsn=dsn, pool_min=pool_min, pool_max=pool_max, tls=_read_postgres_tls(env, dsn))


def _read_postgres_tls(env: EnvReader, dsn: str) -> ClientTls | None:
    """Refuses variables that say otherwise than the address: nobody could tell which of them holds."""
    ca_name = _OF_DSN["sslrootcert"]
    tls = ClientTls.read(env, ca_name=ca_name, certificate_name=_OF_DSN["sslcert"], key_name=_OF_DSN["sslkey"])
    if not env.is_set(ca_name):
        return tls
    said = parse_qs(dsn.partition("?")[2])
    for word, name in _OF_DSN.items():
        if word in said:
            env.refuse(name, f"has its place here, and CUTLINE_POSTGRES_DSN says {word} too; only one may")
    if (mode := said.get("sslmode", ["verify-full"])[-1]) != "verify-full":
        env.refuse(ca_name, f"means sslmode=verify-full, and CUTLINE_POSTGRES_DSN says sslmode={mode}")
    return tls


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where bytes are kept.

    Attributes:
        endpoint: What services use.
        public_endpoint: What signed URLs name, because clients may reach the store by another address.
        access_key: Key id of the credential.
        secret_key: Secret of the credential.
        bucket: Bucket of every blob.
        region: Region that signatures name.
        ca_path: PEM file with the roots that vouch for `endpoint`; None means the public ones.
    """

    endpoint: str
    public_endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "cutline"
    region: str = "us-east-1"
    ca_path: Path | None = None

    @classmethod
    def read(cls, env: EnvReader) -> S3Settings:
        """Reads the group; the public endpoint is the inner one where none is given."""
        endpoint = env.url("CUTLINE_S3_ENDPOINT", schemes=("http", "https"))
        ca_path = read_roots(env, "CUTLINE_S3_CA_FILE")
        if ca_path is not None and endpoint.startswith("http://"):
            env.refuse("CUTLINE_S3_CA_FILE", "is set, and CUTLINE_S3_ENDPOINT begins with http://")
        return cls(
            endpoint=endpoint,
            public_endpoint=env.url("CUTLINE_S3_PUBLIC_ENDPOINT", endpoint, schemes=("http", "https")),
            access_key=env.secret("CUTLINE_S3_ACCESS_KEY"),
            secret_key=env.secret("CUTLINE_S3_SECRET_KEY"),
            bucket=env.text("CUTLINE_S3_BUCKET", "cutline"),
            region=env.text("CUTLINE_S3_REGION", "us-east-1"),
            ca_path=ca_path,
        )

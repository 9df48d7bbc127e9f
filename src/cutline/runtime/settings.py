"""Settings that several services share; each service composes its own frozen dataclass of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import StrEnum

from cutline.runtime.environment import EnvReader, ListenAddress

MIN_DEVELOPMENT_KEY_CHARACTERS = 16
LONGEST_CONNECTION_AGE_S = 7 * 86_400.0
"""gRPC counts the milliseconds of a connection with 31 bits, which end after 24 days."""
MOST_STREAMS = 1_000_000


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


@dataclass(frozen=True, slots=True)
class NatsSettings:
    """Where the bus is.

    Attributes:
        url: Address of the server; the nodes of a cluster are separated by commas.
    """

    url: str = field(repr=False)

    @classmethod
    def read(cls, env: EnvReader) -> NatsSettings:
        """Reads the group."""
        return cls(url=",".join(env.urls("CUTLINE_NATS_URL", schemes=("nats", "tls"))))


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Where the truth is kept, and how many connections to it are held."""

    dsn: str = field(repr=False)
    pool_min: int = 1
    pool_max: int = 10

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
        return cls(dsn=dsn, pool_min=pool_min, pool_max=pool_max)


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
    """

    endpoint: str
    public_endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "cutline"
    region: str = "us-east-1"

    @classmethod
    def read(cls, env: EnvReader) -> S3Settings:
        """Reads the group; the public endpoint is the inner one where none is given."""
        endpoint = env.url("CUTLINE_S3_ENDPOINT", schemes=("http", "https"))
        return cls(
            endpoint=endpoint,
            public_endpoint=env.url("CUTLINE_S3_PUBLIC_ENDPOINT", endpoint, schemes=("http", "https")),
            access_key=env.secret("CUTLINE_S3_ACCESS_KEY"),
            secret_key=env.secret("CUTLINE_S3_SECRET_KEY"),
            bucket=env.text("CUTLINE_S3_BUCKET", "cutline"),
            region=env.text("CUTLINE_S3_REGION", "us-east-1"),
        )

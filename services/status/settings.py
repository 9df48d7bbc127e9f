"""Settings of the status service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import (
    AuthSettings,
    GrpcSettings,
    NatsSettings,
    PostgresSettings,
    S3Settings,
    ShellSettings,
)


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How watches are kept.

    Attributes:
        heartbeat_s: Longest silence of a stream.
        resync_s: Time between comparisons with the store while the bus is connected: how late a lost ring may be.
        resync_alone_s: The same while the bus is away.
        queue_most: Messages that may wait for one watcher of a tenant before it has to catch up by reading.
        max_age_s: Greatest age of a stream. A connection that has grown old is closed when the grace of its calls is
            over; a stream that began just before must have ended by then.
    """

    heartbeat_s: float = 15.0
    resync_s: float = 30.0
    resync_alone_s: float = 1.0
    queue_most: int = 2_000
    max_age_s: float = 600.0

    @classmethod
    def read(cls, env: EnvReader, grpc: GrpcSettings) -> WatchSettings:
        """Reads the group; a stream's age is bound by what the server grants its connections."""
        name, longest_s = "CUTLINE_WATCH_MAX_AGE", min(grpc.max_connection_age_s, grpc.max_connection_age_grace_s)
        max_age_s = env.duration_s(name, min(600.0, longest_s), low=0.05)
        if max_age_s > longest_s:
            env.refuse(
                name,
                f"{max_age_s:g} s is above {longest_s:g} s, the lesser of CUTLINE_GRPC_MAX_CONNECTION_AGE and "
                "CUTLINE_GRPC_MAX_CONNECTION_AGE_GRACE: connections would be cut under their streams",
            )
        return cls(
            heartbeat_s=env.duration_s("CUTLINE_WATCH_HEARTBEAT", 15.0, low=0.05, high=300),
            resync_s=env.duration_s("CUTLINE_WATCH_RESYNC", 30.0, low=0.05, high=600),
            resync_alone_s=env.duration_s("CUTLINE_WATCH_RESYNC_ALONE", 1.0, low=0.05, high=600),
            queue_most=env.integer("CUTLINE_WATCH_QUEUE", 2_000, low=1, high=1_000_000),
            max_age_s=max_age_s,
        )


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """Everything the status service reads from its environment.

    Attributes:
        namespace: Goes before every subject, as in the topology.
    """

    shell: ShellSettings
    grpc: GrpcSettings
    auth: AuthSettings
    nats: NatsSettings
    postgres: PostgresSettings
    s3: S3Settings
    watch: WatchSettings
    namespace: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> StatusSettings:
        """Reads them all.

        Raises:
            SettingsError: Some variable is missing or wrong; it lists them all.
        """
        env = EnvReader(environ)
        grpc = GrpcSettings.read(env, default_port=7002)
        settings = cls(
            shell=ShellSettings.read(env, default_http_port=7102),
            grpc=grpc,
            auth=AuthSettings.read(env, grpc.listen),
            nats=NatsSettings.read(env, user="status"),
            postgres=PostgresSettings.read(env),
            s3=S3Settings.read(env),
            watch=WatchSettings.read(env, grpc),
            namespace=env.text("CUTLINE_NATS_NAMESPACE", ""),
        )
        env.finish()
        return settings

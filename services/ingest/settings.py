"""Settings of ingest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cutline.domain.artwork import ArtworkLimits
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import (
    AuthSettings,
    GrpcSettings,
    NatsSettings,
    PostgresSettings,
    S3Settings,
    ShellSettings,
)


class Role(StrEnum):
    """What a process of ingest does; production may run each in a deployment of its own."""

    API = "api"
    ADMIN = "admin"
    HOUSEKEEPING = "housekeeping"


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """How much may be under way.

    Attributes:
        tenant_cap: Unfinished designs of one tenant.
        global_cap: Unfinished designs of all tenants.
        release_window: Released, unstarted jobs of one tenant in one stage and lane; more wait in the database, so that
            another tenant's jobs need not queue behind them.
    """

    tenant_cap: int = 20_000
    global_cap: int = 200_000
    release_window: int = 256


@dataclass(frozen=True, slots=True)
class HousekeepingSettings:
    """When the loops act; each interval and age in seconds.

    Attributes:
        relay_interval_s: How often the relay looks for messages that were not published inline.
        relay_age_s: Age at which a message is the relay's.
        release_interval_s: How often waiting jobs are looked at.
        sweep_interval_s: How often silent jobs are looked for.
        silence_s: Silence after which a job is published again: longer than the broker's own redelivery.
        retention_interval_s: How often what has expired is removed.
        upload_keep_s: How long an upload without a design is kept.
        request_keep_s: How long the answers to request ids are kept.
    """

    relay_interval_s: float = 0.5
    relay_age_s: float = 1.0
    release_interval_s: float = 0.2
    sweep_interval_s: float = 10.0
    silence_s: float = 90.0
    retention_interval_s: float = 60.0
    upload_keep_s: float = 86_400.0
    request_keep_s: float = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Everything ingest reads from its environment."""

    shell: ShellSettings
    grpc: GrpcSettings
    auth: AuthSettings
    nats: NatsSettings
    postgres: PostgresSettings
    s3: S3Settings
    nats_namespace: str
    roles: frozenset[Role]
    artwork: ArtworkLimits
    backlog: BacklogLimits
    housekeeping: HousekeepingSettings

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> IngestSettings:
        """Reads the settings.

        Raises:
            SettingsError: Variables cannot be used; all of them are named.
        """
        env = EnvReader(environ)
        grpc = GrpcSettings.read(env, default_port=7001)
        settings = cls(
            shell=ShellSettings.read(env, default_http_port=7101),
            grpc=grpc,
            auth=AuthSettings.read(env, grpc.listen),
            nats=NatsSettings.read(env),
            postgres=PostgresSettings.read(env),
            s3=S3Settings.read(env),
            nats_namespace=env.text("CUTLINE_NATS_NAMESPACE", ""),
            roles=frozenset(
                Role(name)
                for name in env.csv("CUTLINE_INGEST_ROLES", tuple(role.value for role in Role), choices=tuple(Role))
            ),
            artwork=ArtworkLimits(max_bytes=env.integer("CUTLINE_MAX_ARTWORK_BYTES", 50_000_000, low=1)),
            backlog=BacklogLimits(
                tenant_cap=env.integer("CUTLINE_TENANT_CAP", 20_000, low=1),
                global_cap=env.integer("CUTLINE_GLOBAL_CAP", 200_000, low=1),
                release_window=env.integer("CUTLINE_RELEASE_WINDOW", 256, low=1),
            ),
            housekeeping=HousekeepingSettings(
                silence_s=env.duration_s("CUTLINE_SWEEP_SILENCE", 90.0, low=1),
                upload_keep_s=env.duration_s("CUTLINE_UPLOAD_KEEP", 86_400.0, low=60),
            ),
        )
        env.finish()
        return settings

"""Settings of ingest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cutline.domain.artwork import ArtworkLimits
from cutline.messaging.topology import Topology
from cutline.messaging.topology_settings import read_topology
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import (
    AuthSettings,
    GrpcSettings,
    NatsSettings,
    PostgresSettings,
    S3Settings,
    ShellSettings,
)
from cutline.store.release import RELEASE_WINDOW

DAY_S: Final = 86_400.0


class Role(StrEnum):
    """What a process of ingest does; production may run each in a deployment of its own."""

    API = "api"
    ADMIN = "admin"
    HOUSEKEEPING = "housekeeping"


SERVING: Final = frozenset({Role.API, Role.ADMIN})
"""Roles that answer calls."""
STORING: Final = frozenset({Role.API, Role.HOUSEKEEPING})
"""Roles that touch files: one checks artwork, the other removes what has expired."""


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """How much may be under way.

    Attributes:
        tenant_cap: Unfinished designs of one tenant.
        global_cap: Unfinished designs of all tenants.
        release_window: Released, unstarted jobs of one tenant in one stage and lane; more wait in the database, so that
            another tenant's jobs need not queue behind them.
        release_target: Released, unstarted jobs a stage and lane is filled up to, also by one tenant alone. Autoscaling
            sees only what is released, so this is at least the lag that asks for the most replicas. Above the window
            it lets a tenant that is alone go beyond its window, and who comes next waits behind that much; up to the
            window it changes nothing.
    """

    tenant_cap: int = 20_000
    global_cap: int = 200_000
    release_window: int = RELEASE_WINDOW
    release_target: int = 0


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
    """

    relay_interval_s: float = 0.5
    relay_age_s: float = 1.0
    release_interval_s: float = 0.2
    sweep_interval_s: float = 10.0
    silence_s: float = 90.0
    retention_interval_s: float = 60.0


@dataclass(frozen=True, slots=True)
class KeepSettings:
    """How long what is kept, in seconds.

    Attributes:
        upload_s: Uploads without a design.
        upload_grace_s: Expired uploads, beyond that; longer than any process remembers an upload that it has checked.
        job_s: Jobs and their attempts after their end.
        request_s: Answers to request ids.
        superseded_s: Generations that a newer one has replaced, with their files.
        dead_letter_s: Dead letters, and the dead jobs that open ones name; as long as the broker keeps its copy.
        tombstone_s: Ids of deleted designs, for watches that resume.
        orphan_s: Objects that no row names; longer than any attempt may take.
    """

    upload_s: float = DAY_S
    upload_grace_s: float = 900.0
    job_s: float = 7 * DAY_S
    request_s: float = 7 * DAY_S
    superseded_s: float = 7 * DAY_S
    dead_letter_s: float = 30 * DAY_S
    tombstone_s: float = 7 * DAY_S
    orphan_s: float = DAY_S

    @classmethod
    def read(cls, env: EnvReader) -> KeepSettings:
        """Reads the group."""
        return cls(
            upload_s=env.duration_s("CUTLINE_UPLOAD_KEEP", DAY_S, low=60),
            job_s=env.duration_s("CUTLINE_JOB_KEEP", 7 * DAY_S, low=60),
            request_s=env.duration_s("CUTLINE_REQUEST_KEEP", 7 * DAY_S, low=60),
            superseded_s=env.duration_s("CUTLINE_SUPERSEDED_KEEP", 7 * DAY_S, low=60),
            dead_letter_s=env.duration_s("CUTLINE_DEAD_LETTER_KEEP", 30 * DAY_S, low=60),
            tombstone_s=env.duration_s("CUTLINE_TOMBSTONE_KEEP", 7 * DAY_S, low=60),
            orphan_s=env.duration_s("CUTLINE_ORPHAN_AGE", DAY_S, low=3600),
        )


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Everything ingest reads from its environment; a role reads nothing that it does not need.

    Attributes:
        grpc: None where no role answers calls: nothing listens then.
        s3: None where no role touches files.
    """

    shell: ShellSettings
    grpc: GrpcSettings | None
    auth: AuthSettings
    nats: NatsSettings
    postgres: PostgresSettings
    s3: S3Settings | None
    topology: Topology
    roles: frozenset[Role]
    artwork: ArtworkLimits
    backlog: BacklogLimits
    housekeeping: HousekeepingSettings
    keep: KeepSettings

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> IngestSettings:
        """Reads the settings.

        Raises:
            SettingsError: Variables cannot be used; all of them are named.
        """
        env = EnvReader(environ)
        topology = read_topology(env)
        roles = frozenset(
            Role(name)
            for name in env.csv("CUTLINE_INGEST_ROLES", tuple(role.value for role in Role), choices=tuple(Role))
        )
        grpc = GrpcSettings.read(env, default_port=7001) if roles & SERVING else None
        settings = cls(
            shell=ShellSettings.read(env, default_http_port=7101),
            grpc=grpc,
            auth=AuthSettings.read(env, grpc.listen) if grpc is not None else AuthSettings(),
            nats=NatsSettings.read(env, user=_bus_user(roles)),
            postgres=PostgresSettings.read(env),
            s3=S3Settings.read(env) if roles & STORING else None,
            topology=topology,
            roles=roles,
            artwork=ArtworkLimits(max_bytes=env.integer("CUTLINE_MAX_ARTWORK_BYTES", 50_000_000, low=1)),
            backlog=BacklogLimits(
                tenant_cap=env.integer("CUTLINE_TENANT_CAP", 20_000, low=1),
                global_cap=topology.global_cap,
                release_window=env.integer("CUTLINE_RELEASE_WINDOW", RELEASE_WINDOW, low=1),
                release_target=env.integer("CUTLINE_RELEASE_TARGET", 0),
            ),
            housekeeping=HousekeepingSettings(
                silence_s=env.duration_s("CUTLINE_SWEEP_SILENCE", 90.0, low=1),
            ),
            keep=KeepSettings.read(env),
        )
        env.finish()
        return settings


def _bus_user(roles: frozenset[Role]) -> str:
    """Who this is to the bus: each role that runs by itself may do less there than all together."""
    return f"ingest-{next(iter(roles))}" if len(roles) == 1 else "ingest"

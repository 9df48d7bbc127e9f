"""Settings of the mockup worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cutline.messaging.worker_settings import WorkerSettings
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import NatsSettings, PostgresSettings, S3Settings, ShellSettings


@dataclass(frozen=True, slots=True)
class MockupSettings:
    """Everything the mockup worker reads from its environment."""

    shell: ShellSettings
    nats: NatsSettings
    postgres: PostgresSettings
    s3: S3Settings
    worker: WorkerSettings

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> MockupSettings:
        """Reads the settings.

        Raises:
            SettingsError: Variables cannot be used; all of them are named.
        """
        env = EnvReader(environ)
        settings = cls(
            shell=ShellSettings.read(env, default_http_port=7104),
            nats=NatsSettings.read(env, user="mockup"),
            postgres=PostgresSettings.read(env),
            s3=S3Settings.read(env),
            worker=WorkerSettings.read(
                env, slots_name="CUTLINE_MOCKUP_SLOTS", memory_name="CUTLINE_MOCKUP_MEMORY_BYTES"
            ),
        )
        env.finish()
        return settings

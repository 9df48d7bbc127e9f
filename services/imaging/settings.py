"""Settings of the imaging worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cutline.domain.artwork import ArtworkLimits
from cutline.imaging.press_profile import PressProfile, PressProfileError
from cutline.messaging.worker_settings import WorkerSettings
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import NatsSettings, PostgresSettings, S3Settings, ShellSettings


@dataclass(frozen=True, slots=True)
class ImagingSettings:
    """Everything the imaging worker reads from its environment.

    Attributes:
        model_path: ONNX file of a learned background remover; None where there is none.
        press: Profile of the press that print files are made for; None where there is none.
    """

    shell: ShellSettings
    nats: NatsSettings
    postgres: PostgresSettings
    s3: S3Settings
    worker: WorkerSettings
    artwork: ArtworkLimits
    model_path: Path | None
    press: PressProfile | None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> ImagingSettings:
        """Reads the settings.

        Raises:
            SettingsError: Variables cannot be used; all of them are named.
        """
        env = EnvReader(environ)
        usual = ArtworkLimits()
        model = env.text("CUTLINE_MODEL_PATH", "")
        if model and not Path(model).is_file():
            env.refuse("CUTLINE_MODEL_PATH", f"{model[:200]!r} is not a file")
        settings = cls(
            shell=ShellSettings.read(env, default_http_port=7103),
            nats=NatsSettings.read(env, user="imaging"),
            postgres=PostgresSettings.read(env),
            s3=S3Settings.read(env),
            worker=WorkerSettings.read(
                env, slots_name="CUTLINE_IMAGING_SLOTS", memory_name="CUTLINE_IMAGING_MEMORY_BYTES"
            ),
            artwork=ArtworkLimits(
                max_bytes=env.integer("CUTLINE_MAX_ARTWORK_BYTES", usual.max_bytes, low=1),
                max_pixels=env.integer("CUTLINE_MAX_ARTWORK_PIXELS", usual.max_pixels, low=1),
                max_side_px=env.integer("CUTLINE_MAX_ARTWORK_SIDE_PX", usual.max_side_px, low=1),
            ),
            model_path=Path(model) if model else None,
            press=_press_profile(env),
        )
        env.finish()
        return settings


def _press_profile(env: EnvReader) -> PressProfile | None:
    """Reads the profile itself: what is wrong with it is told at start, not by a job."""
    name = "CUTLINE_PRESS_PROFILE_PATH"
    path = env.text(name, "")
    if not path:
        return None
    try:
        return PressProfile.read(Path(path).read_bytes())
    except OSError as error:
        env.refuse(name, f"{path[:200]!r} cannot be read ({error.strerror or type(error).__name__})")
    except PressProfileError as error:
        env.refuse(name, f"{path[:200]!r} {error}")
    return None

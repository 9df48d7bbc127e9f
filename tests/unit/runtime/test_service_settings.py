"""The settings of each service refuse what cannot be used, whatever variable it is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from cutline.rpc.server import _options
from cutline.runtime.environment import SettingsError
from deploy.checks.asked import Asked
from services.imaging.settings import ImagingSettings
from services.ingest.settings import IngestSettings
from services.mockup.settings import MockupSettings
from services.status.settings import StatusSettings
from tests.support.press_profiles import icc_profile

SOUND = {
    "CUTLINE_NATS_URL": "nats://127.0.0.1:4222",
    "CUTLINE_POSTGRES_DSN": "postgresql://u:p@127.0.0.1:5432/cutline",
    "CUTLINE_S3_ENDPOINT": "http://127.0.0.1:9000",
    "CUTLINE_S3_ACCESS_KEY": "key",
    "CUTLINE_S3_SECRET_KEY": "secret",
}
NONSENSE = "nonsense, -1"

Read = Callable[[Mapping[str, str]], Any]
every_service = pytest.mark.parametrize(
    "read", [kind.from_env for kind in (IngestSettings, ImagingSettings, MockupSettings, StatusSettings)]
)


def _refused(read: Read, environ: Mapping[str, str]) -> set[str]:
    """The variables that are refused."""
    try:
        read(environ)
    except SettingsError as error:
        return {problem.partition(":")[0] for problem in error.problems}
    return set()


@every_service
def test_everything_required_is_told_at_once(read: Read) -> None:
    """An empty environment gives one error that names all that is required."""
    assert set(SOUND) <= _refused(read, {})


@every_service
def test_nonsense_is_refused_by_the_name_of_its_variable(read: Read) -> None:
    """Each variable with nonsense in it is either a text like any other or named in the one problem there is."""
    sound = Asked(SOUND)
    read(sound)

    names = {name for name in sound.names if not name.endswith("_FILE")}
    refused = {name: named for name in names if (named := _refused(read, {**SOUND, name: NONSENSE}))}

    assert refused == {name: {name} for name in refused}
    assert {"CUTLINE_NATS_URL", "CUTLINE_POSTGRES_DSN", "CUTLINE_HTTP_LISTEN", "CUTLINE_POSTGRES_POOL_MAX"} <= set(
        refused
    )


def test_the_imaging_worker_reads_its_press_profile_at_start(tmp_path: Path) -> None:
    """A sound profile is there from the start; a screen's is refused by the name of its variable and the reason."""
    name, path = "CUTLINE_PRESS_PROFILE_PATH", tmp_path / "press.icc"
    path.write_bytes(icc_profile(title="Coated"))
    settings = ImagingSettings.from_env({**SOUND, name: str(path)})
    assert settings.press is not None
    assert (settings.press.title, settings.press.icc) == ("Coated", path.read_bytes())
    assert ImagingSettings.from_env(SOUND).press is None

    path.write_bytes(icc_profile(kind=b"mntr"))
    with pytest.raises(SettingsError) as caught:
        ImagingSettings.from_env({**SOUND, name: str(path)})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}: ")
    assert problem.endswith("is an ICC profile of class mntr; a press profile is of class prtr")


def test_an_unknown_role_is_named_with_all_other_problems() -> None:
    """A role that does not exist does not keep the other problems from being told."""
    wrong = {"CUTLINE_INGEST_ROLES": "api,king", "CUTLINE_TENANT_CAP": "many"}

    assert _refused(IngestSettings.from_env, {**SOUND, **wrong}) == set(wrong)


async def test_whatever_a_server_is_allowed_grpc_can_count() -> None:
    """The largest values of all settings give options that fit in the 31 bits which gRPC has for each."""
    largest: dict[str, str] = {}
    for name, too_much in {
        "CUTLINE_GRPC_MAX_CONNECTION_AGE": "9999d",
        "CUTLINE_GRPC_MAX_CONNECTION_AGE_GRACE": "9999d",
        "CUTLINE_GRPC_KEEPALIVE": "9999d",
        "CUTLINE_GRPC_KEEPALIVE_TIMEOUT": "9999d",
        "CUTLINE_GRPC_MAX_STREAMS": str(2**31 - 1),
    }.items():
        with pytest.raises(SettingsError, match=name) as caught:
            StatusSettings.from_env({**SOUND, name: too_much})
        largest[name] = caught.value.problems[0].rpartition(" to ")[2].removesuffix(" s")
    settings = StatusSettings.from_env({**SOUND, **largest})
    assert settings.grpc.max_streams == int(largest["CUTLINE_GRPC_MAX_STREAMS"])

    grpc.aio.server(options=_options(settings.grpc))

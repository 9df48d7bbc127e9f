"""The Compose file is valid, locks its containers up, and speaks to the services in the words they know."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from cutline.embedded import wheels
from cutline.messaging.permissions import BusUser
from cutline.messaging.topology import Topology
from cutline.messaging.topology_settings import read_topology
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import NatsSettings, PostgresSettings
from deploy.checks.asked import Asked
from deploy.checks.policies.environment import READERS
from tests.deploy.images.conftest import DEPLOY, make_secrets

SCHEMA: Final = Path(sys.prefix) / "schemas" / "compose" / "config" / "compose_spec.json"
IN_CONTAINER: Final = "/run/secrets/"
JOBS: Final = ("migrate", "topology", "operator")
SETTINGS: Final[dict[str, Any]] = {name: kind for name, kind in READERS.items() if name not in JOBS}
WORKERS: Final = ("imaging", "mockup")
DEFAULT: Final = re.compile(r"\$\{[A-Z0-9_]+:-([^}]*)\}")


def environment(compose: dict[str, Any], service: str, secrets: Path) -> Asked:
    """What a container reads: interpolated with its defaults, and secrets where they are on this machine."""
    values = {
        name: DEFAULT.sub(lambda match: match[1], value)
        for name, value in compose["services"][service].get("environment", {}).items()
    }
    given = set(compose["services"][service].get("secrets", ()))
    for name, value in values.items():
        if value.startswith(IN_CONTAINER):
            assert value.removeprefix(IN_CONTAINER) in given, f"{service}: {name} names a secret it is not given"
            values[name] = str(secrets / value.removeprefix(IN_CONTAINER))
    return Asked(values)


def test_the_file_is_valid(compose: dict[str, Any]) -> None:
    """The file has the form of the Compose specification, and a slip in it would be seen."""
    if not SCHEMA.is_file():
        pytest.skip("the schema of Compose files is not installed: make schemas")
    schema = json.loads(SCHEMA.read_text("utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    assert [error.message for error in validator.iter_errors(compose)] == []

    broken = json.loads(json.dumps(compose))
    broken["services"]["status"]["read_onyl"] = True
    assert not validator.is_valid(broken)


@pytest.mark.parametrize("service", SETTINGS)
def test_services_understand_their_settings(compose: dict[str, Any], secrets: Path, service: str) -> None:
    """Every service starts with what the file gives it: nothing missing, nothing refused, nothing it does not read."""
    env = environment(compose, service, secrets)

    settings = SETTINGS[service].from_env(env)

    assert {name for name in env if name.startswith("CUTLINE_")} - env.names == set()
    assert settings.shell.http_listen.host == "0.0.0.0"
    assert settings.nats.inbox_prefix == BusUser(service).inbox_prefix


def test_jobs_understand_their_settings(compose: dict[str, Any], secrets: Path) -> None:
    """The jobs read what the file gives them, and nothing of it is for somebody else."""
    for job in JOBS:
        env = environment(compose, job, secrets)
        reader = EnvReader(env)
        if "CUTLINE_POSTGRES_DSN_FILE" in env:
            PostgresSettings.read(reader)
        else:
            NatsSettings.read(reader, user="topology")
            assert read_topology(reader).replicas == 3
        reader.finish()
        assert {name for name in env if name.startswith("CUTLINE_")} - env.names == set(), job


def test_everybody_shares_one_topology(compose: dict[str, Any], secrets: Path) -> None:
    """The job makes the streams that ingest and the workers count on."""

    def topology(service: str) -> Topology:
        return read_topology(EnvReader(environment(compose, service, secrets)))

    for service in SETTINGS.keys() - {"status"}:
        assert topology(service) == topology("topology"), service


def test_ports_are_those_of_the_code(compose: dict[str, Any], secrets: Path) -> None:
    """Containers listen where the services do by default, probes ask there, and what is published is on loopback."""
    for service, kind in SETTINGS.items():
        env = environment(compose, service, secrets)
        bare = {name: value for name, value in env.items() if not name.endswith("_LISTEN")}
        usual, here = kind.from_env(bare), kind.from_env(env)
        assert here.shell.http_listen.port == usual.shell.http_listen.port
        probe = " ".join(compose["services"][service]["healthcheck"]["test"])
        assert f"http://127.0.0.1:{here.shell.http_listen.port}/readyz" in probe
        for published in compose["services"][service].get("ports", ()):
            assert published.endswith(f":{here.grpc.listen.port}")
            assert here.grpc.listen.port == usual.grpc.listen.port
    for name, service in compose["services"].items():
        assert [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")] == [], name


@pytest.mark.parametrize("worker", WORKERS)
def test_an_update_interrupts_no_job(compose: dict[str, Any], secrets: Path, worker: str) -> None:
    """A worker may go on for longer than any job may take, and Docker waits for longer than that."""
    work = SETTINGS[worker].from_env(environment(compose, worker, secrets)).worker
    docker_s = float(compose["services"][worker]["stop_grace_period"].removesuffix("s"))
    assert work.hard_deadline_s < work.stop_grace_s < docker_s - 10
    memory_bytes = int(compose["services"][worker]["mem_limit"].removesuffix("g")) * 1024**3
    assert work.slots * work.memory_limit_bytes < memory_bytes


def test_every_container_is_locked_up(compose: dict[str, Any]) -> None:
    """No container writes to its root, none may gain rights, and only the one that hands folders over runs as root."""
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert ":" in service["image"], name
        assert not service["image"].endswith(":latest"), name
        assert "privileged" not in service, name
        if name != "ownership":
            assert not service["user"].startswith(("0", "root")), name
            assert "cap_add" not in service, name
    assert compose["services"]["ownership"]["cap_add"] == ["CHOWN"]
    assert {compose["services"][name]["user"] for name in (*SETTINGS, *JOBS)} == {"65532:65532"}


def test_nobody_starts_before_what_it_needs(compose: dict[str, Any]) -> None:
    """Services wait for the jobs, jobs for healthy servers; every server and service has a probe."""
    services = compose["services"]
    for service in SETTINGS:
        assert services[service]["depends_on"] == {
            job: {"condition": "service_completed_successfully"} for job in ("migrate", "topology", "bucket")
        }
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], name
            else:
                assert services[needed]["restart"] == "no", name
        if service["restart"] != "no":
            assert "test" in service["healthcheck"], name


def test_only_published_services_reach_the_outside(compose: dict[str, Any]) -> None:
    """Workers, the database and the bus have no way out; who has one publishes a port."""
    assert compose["networks"]["inner"] == {"internal": True}
    outside = {name for name, service in compose["services"].items() if "outer" in service.get("networks", ())}
    assert outside == {name for name, service in compose["services"].items() if "ports" in service}
    assert outside.isdisjoint({"imaging", "mockup", "postgres", "nats-1", "nats-2", "nats-3"})


def test_a_bus_user_is_given_to_one_service(compose: dict[str, Any]) -> None:
    """Each service signs in to NATS with a key of its own."""
    held = {
        secret: [name for name, service in compose["services"].items() if secret in service.get("secrets", ())]
        for secret in compose["secrets"]
        if secret.startswith("nats-")
    }
    assert held == {f"nats-{user}": [user.value] for user in BusUser}


def test_secrets_are_files_that_the_script_makes(compose: dict[str, Any], secrets: Path) -> None:
    """Every secret of the file is made, each is used, and git does not see the folder."""
    made = {entry["file"].removeprefix("./secrets/") for entry in compose["secrets"].values()}
    assert made == set(compose["secrets"])
    assert made <= {file.name for file in secrets.iterdir()}
    used = {secret for service in compose["services"].values() for secret in service.get("secrets", ())}
    assert used == made
    assert "/deploy/secrets/" in (DEPLOY.parent / ".gitignore").read_text("utf-8").splitlines()


def test_secrets_are_kept_and_closed(secrets: Path, tmp_path: Path) -> None:
    """The folder is its owner's alone, its passwords differ, and making them again changes nothing."""
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    again = tmp_path / "secrets"
    shutil.copytree(secrets, again)
    make_secrets(again)
    before = {file.name: file.read_bytes() for file in secrets.iterdir()}
    assert {file.name: file.read_bytes() for file in again.iterdir()} == before
    chosen = [text for name, text in before.items() if name.endswith(("-password", "-secret-key"))]
    assert len(set(chosen)) == len(chosen) == 4
    assert all(len(text) == 64 for text in chosen)


def test_nats_reads_its_configuration(secrets: Path, tmp_path: Path) -> None:
    """A real nats-server finds the configuration valid as the containers see it, and knows every user of the bus."""
    shutil.copy(DEPLOY / "compose" / "nats.conf", tmp_path / "nats.conf")
    for name in ("routes.conf", "users.conf"):
        shutil.copy(secrets / f"nats-{name}", tmp_path / name)
    tried = subprocess.run(
        (wheels.nats_server(), "-t", "--config", tmp_path / "nats.conf"),
        env={"NATS_NAME": "nats-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stderr
    users = (tmp_path / "users.conf").read_text("utf-8")
    assert "$CUTLINE_NKEY" not in users
    assert len(set(re.findall(r"\bU[A-Z2-7]{55}\b", users))) == len(BusUser) + 1


def test_files_that_are_mounted_exist(compose: dict[str, Any], secrets: Path) -> None:
    """Whatever of the repository a container is given is there; the rest is made by the script."""
    for name, service in compose["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./secrets/"):
                assert (secrets / source.removeprefix("./secrets/")).is_file(), name
            elif source.startswith("./"):
                assert (DEPLOY / source).exists(), name
                assert volume.endswith(":ro"), name
            else:
                assert source in compose["volumes"], name


def test_the_servers_are_those_that_the_tests_run(compose: dict[str, Any]) -> None:
    """NATS and SeaweedFS have the versions of the embedded stack, so that what is tested is what runs."""
    nats = subprocess.run((wheels.nats_server(), "--version"), capture_output=True, text=True, check=True).stdout
    weed = subprocess.run((wheels.weed(), "version"), capture_output=True, text=True, check=True).stdout
    assert f":{nats.split('v')[-1].strip()}-alpine" in compose["services"]["nats-1"]["image"]
    assert f" {compose['services']['s3']['image'].split(':')[1]} " in weed

"""PostgreSQL over TLS: with whom services speak, and certificates that are renewed while they run.

Twice: behind the TLS front of the embedded stack, and with a server that speaks TLS itself where one is installed.
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme

from cutline.embedded import postgres_tls_front
from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.embedded.postgres_tls_front import Front
from cutline.runtime.settings import PostgresSettings
from cutline.runtime.tls import ClientTls, KeyPairFiles
from cutline.store.connection import Connector, connect
from cutline.store.pool import Database
from tests.support.polling import until

AUTHORITY, STRANGERS = trustme.CA(), trustme.CA()
INSTALLED = Path("/usr/lib/postgresql/15/bin")


@dataclass(frozen=True, slots=True)
class Secured:
    """A database that takes TLS with a client certificate only.

    Attributes:
        dsn: Its address, without a word about TLS.
        tls: What opens it.
        folder: Where `ca.pem`, `client.pem` and `client.key` are.
    """

    dsn: str
    tls: ClientTls
    folder: Path

    @property
    def settings(self) -> PostgresSettings:
        """As a service has them."""
        return PostgresSettings(self.dsn, tls=self.tls)

    @property
    def environment(self) -> dict[str, str]:
        """As an operator's command reads them."""
        assert self.tls.pair is not None
        return {
            **os.environ,
            "CUTLINE_POSTGRES_DSN": self.dsn,
            "CUTLINE_POSTGRES_CA_FILE": str(self.tls.ca_path),
            "CUTLINE_POSTGRES_CLIENT_CERT_FILE": str(self.tls.pair.certificate_path),
            "CUTLINE_POSTGRES_CLIENT_KEY_FILE": str(self.tls.pair.key_path),
        }


def _write(folder: Path, name: str, leaf: trustme.LeafCert) -> KeyPairFiles:
    leaf.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    leaf.private_key_pem.write_to_path(folder / f"{name}.key")
    return KeyPairFiles(folder / f"{name}.pem", folder / f"{name}.key")


def _client_files(folder: Path, dsn: str) -> Secured:
    AUTHORITY.cert_pem.write_to_path(folder / "ca.pem")
    client = _write(folder, "client", AUTHORITY.issue_cert("cutline", common_name="cutline"))
    return Secured(dsn, ClientTls(folder / "ca.pem", client), folder)


async def _reachable(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def _running(*command: str | Path, port: int, **options: Any) -> AsyncIterator[None]:
    """A server process, from when it listens until the end of the test."""
    process = await asyncio.create_subprocess_exec(*map(str, command), stderr=asyncio.subprocess.DEVNULL, **options)
    try:
        await until(lambda: _reachable(port))
        yield
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _fronted(folder: Path, port: int, dsn: str) -> AsyncIterator[Secured]:
    login, _, place = dsn.partition("?")[0].rpartition("@")
    postgres_port, _, name = place.rpartition(":")[2].partition("/")
    server = _write(folder, "server", AUTHORITY.issue_cert(LOOPBACK))
    secured = _client_files(folder, f"{login}@{LOOPBACK}:{port}/{name}")
    front = Front(
        host=LOOPBACK,
        port=port,
        postgres_port=int(postgres_port),
        certificate=str(server.certificate_path),
        key=str(server.key_path),
        client_authority=str(secured.tls.ca_path),
    )
    program = Path(postgres_tls_front.__file__)
    async with _running(sys.executable, "-I", "-S", program, json.dumps(asdict(front)), port=port):
        yield secured


@asynccontextmanager
async def _native(folder: Path, port: int) -> AsyncIterator[Secured]:
    server = _write(folder, "server", AUTHORITY.issue_cert(LOOPBACK))
    secured = _client_files(folder, f"postgresql://cutline@{LOOPBACK}:{port}/postgres")
    server.key_path.chmod(0o600)
    options = _as_another_user(folder)
    initdb = (INSTALLED / "initdb", "-D", folder / "data", "--username=cutline", "--auth=trust", "--no-sync")
    process = await asyncio.create_subprocess_exec(*map(str, initdb), stdout=asyncio.subprocess.DEVNULL, **options)
    assert await process.wait() == 0
    (folder / "data" / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust clientcert=verify-full\n", "utf-8")
    settings = {
        "listen_addresses": LOOPBACK,
        "port": port,
        "unix_socket_directories": "",
        "ssl": "on",
        "ssl_cert_file": server.certificate_path,
        "ssl_key_file": server.key_path,
        "ssl_ca_file": secured.tls.ca_path,
        "fsync": "off",
    }
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    async with _running(INSTALLED / "postgres", "-D", folder / "data", *arguments, port=port, **options):
        yield secured


def _as_another_user(folder: Path) -> dict[str, Any]:
    """How root runs PostgreSQL, which refuses to be run by it."""
    if os.geteuid() != 0:
        return {"cwd": folder}
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, nobody.pw_uid, nobody.pw_gid)
    return {"cwd": folder, "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this test's own."""
    ports = PortReservation()
    yield ports.take()
    ports.release()


@pytest.fixture
async def fronted(tmp_path: Path, port: int, empty_postgres_dsn: str) -> AsyncIterator[Secured]:
    """The embedded PostgreSQL behind its TLS front."""
    async with _fronted(tmp_path, port, empty_postgres_dsn) as secured:
        yield secured


@pytest.fixture(params=["fronted", "native"])
async def secured(request: pytest.FixtureRequest, port: int, empty_postgres_dsn: str) -> AsyncIterator[Secured]:
    """That, or a PostgreSQL with TLS of its own."""
    if request.param == "native" and not (INSTALLED / "postgres").exists():
        pytest.skip(f"{INSTALLED} has no PostgreSQL")
    with tempfile.TemporaryDirectory() as name:  # not below pytest's folders, which are nobody's but ours
        folder = Path(name)
        native = request.param == "native"
        async with _native(folder, port) if native else _fronted(folder, port, empty_postgres_dsn) as found:
            yield found


async def _answer(settings: PostgresSettings) -> Any:
    connection = await connect(settings, timeout=20)
    try:
        return await connection.fetchval("SELECT 7")
    finally:
        await connection.close()


async def test_who_knows_the_root_and_shows_a_certificate_is_served(secured: Secured, tmp_path: Path) -> None:
    """The right files open; without a certificate, with a stranger's, and with another root nothing is answered."""
    strangers = _write(tmp_path, "stranger", STRANGERS.issue_cert("cutline", common_name="cutline"))
    STRANGERS.cert_pem.write_to_path(tmp_path / "strangers.pem")
    assert await _answer(secured.settings) == 7

    for refused in (
        replace(secured.tls, pair=None),
        replace(secured.tls, pair=strangers),
        replace(secured.tls, ca_path=tmp_path / "strangers.pem"),
        None,
    ):
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await _answer(replace(secured.settings, tls=refused))


async def test_the_servers_name_is_compared(fronted: Secured) -> None:
    """A certificate of the right root for another name is not the server's (verify-full)."""
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await _answer(replace(fronted.settings, dsn=fronted.dsn.replace(LOOPBACK, "localhost")))


async def test_a_server_without_tls_gets_no_password(empty_postgres_dsn: str, fronted: Secured) -> None:
    """Where the variables ask for TLS, a server that offers none is left before anything is said."""
    plain = empty_postgres_dsn.partition("?")[0]
    with pytest.raises(ConnectionError, match="SSL"):
        await _answer(replace(fronted.settings, dsn=plain))


async def test_what_the_address_says_of_tls_holds_without_the_variables(fronted: Secured) -> None:
    """`sslmode`, `sslrootcert` and their like in the address do what they did."""
    assert fronted.tls.pair is not None
    query = (
        f"sslmode=verify-full&sslrootcert={fronted.tls.ca_path}"
        f"&sslcert={fronted.tls.pair.certificate_path}&sslkey={fronted.tls.pair.key_path}"
    )
    assert await _answer(PostgresSettings(f"{fronted.dsn}?{query}")) == 7
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await _answer(PostgresSettings(f"{fronted.dsn}?sslmode=disable"))


async def test_commands_and_services_use_the_same_variables(fronted: Secured) -> None:
    """Migrations, keys and tenants' settings are done over TLS, and the pool of a service opens on what they made."""
    for module, *arguments in (
        ("cutline.store.migrations",),
        ("cutline.rpc.keys", "make", "--tenant", "acme"),
        ("cutline.store.tenant_settings", "keep", "--tenant", "acme", "--days", "9"),
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, env=fronted.environment, stdout=asyncio.subprocess.DEVNULL
        )
        assert await process.wait() == 0, module
    database = Database.of(fronted.settings, application_name="test")
    await database.start()
    try:
        assert await database.fetchval("SELECT count(*) FROM api_keys") == 1
        assert await database.fetchval("SELECT tenant FROM tenant_settings") == "acme"
    finally:
        await database.stop()


async def test_new_connections_show_the_renewed_certificate(fronted: Secured) -> None:
    """What the files hold counts for each connection; where they are broken, what worked last goes on working."""
    assert fronted.tls.pair is not None
    connector, good = Connector(fronted.tls), fronted.tls.pair.load()

    async def served() -> bool:
        try:
            connection = await connector.connect(fronted.dsn)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    assert await served()
    _write(fronted.folder, "client", STRANGERS.issue_cert("cutline"))
    assert not await served()
    fronted.tls.pair.certificate_path.write_bytes(good.certificate)
    fronted.tls.pair.key_path.write_bytes(good.key)
    assert await served()
    fronted.tls.pair.key_path.write_bytes(b"")
    assert await served()


async def test_files_that_never_worked_are_a_lost_connection(fronted: Secured) -> None:
    """Files broken between the reading of the settings and the first connection are told, not a fault without words."""
    fronted.tls.ca_path.write_bytes(b"")
    with pytest.raises(OSError, match="holds no certificate"):
        await connect(fronted.settings)

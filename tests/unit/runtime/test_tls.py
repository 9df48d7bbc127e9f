"""Certificates, keys and roots are judged by what is wrong with them, and taken as they are when they are needed."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cutline.runtime.environment import EnvReader, SettingsError
from cutline.runtime.settings import GrpcTlsSettings, PostgresSettings, S3Settings
from cutline.runtime.tls import ClientTls, KeyPairFiles, TlsFileError, load_roots

AUTHORITY = trustme.CA()
OWN, OTHER = AUTHORITY.issue_cert("127.0.0.1"), AUTHORITY.issue_cert("127.0.0.1")


def _problems(env: EnvReader) -> tuple[str, ...]:
    try:
        env.finish()
    except SettingsError as error:
        return error.problems
    return ()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with `ca.pem`, `own.pem`, `own.key`, `other.pem`, `other.key` and a text that is none of that."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, leaf in (("own", OWN), ("other", OTHER)):
        leaf.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        leaf.private_key_pem.write_to_path(tmp_path / f"{name}.key")
    (tmp_path / "text").write_text("no certificate", "utf-8")
    return tmp_path


def _pair(files: Path, certificate: str, key: str) -> KeyPairFiles:
    return KeyPairFiles(files / certificate, files / key)


def test_a_pair_is_read_as_it_is_now(files: Path) -> None:
    """Each load gives what the files hold at that moment."""
    pair = _pair(files, "own.pem", "own.key")
    assert pair.load().key == OWN.private_key_pem.bytes()
    OTHER.cert_chain_pems[0].write_to_path(files / "own.pem")
    OTHER.private_key_pem.write_to_path(files / "own.key")

    assert pair.load().key == OTHER.private_key_pem.bytes()
    assert pair.load().certificate == OTHER.cert_chain_pems[0].bytes()


@pytest.mark.parametrize(
    ("certificate", "key", "problem"),
    [
        ("own.pem", "other.key", r"the key in .*/other\.key is not the one of the certificate in .*/own\.pem"),
        ("own.pem", "text", r"are no certificate and key in PEM form"),
        ("text", "own.key", r"are no certificate and key in PEM form"),
        ("weak.pem", "weak.key", r"/weak\.pem and .*/weak\.key cannot be used \(EE_KEY_TOO_SMALL\)"),
        ("own.pem", "locked.key", r"the key in .*/locked\.key wants a password"),
        ("none.pem", "own.key", r"/none\.pem cannot be read \(No such file or directory\)"),
        ("own.pem", "", r"cannot be read \(Is a directory\)"),
    ],
)
def test_what_is_no_pair_is_refused(files: Path, certificate: str, key: str, problem: str) -> None:
    """Another's key, no key, one with a password and a file that is not there are told by path, without a prompt."""
    private = serialization.load_pem_private_key(OWN.private_key_pem.bytes(), None)
    locked = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    (files / "locked.key").write_bytes(locked)
    _write_weak_pair(files)

    with pytest.raises(TlsFileError, match=problem):
        _pair(files, certificate, key).load()


def _write_weak_pair(files: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505  (too weak on purpose)
    name = x509.Name([])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    weak = made.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    (files / "weak.pem").write_bytes(weak.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (files / "weak.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, plain))


def test_files_replaced_while_they_are_read_are_read_again(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal between certificate and key gives the new pair, never half of each."""
    pair, judged = _pair(files, "own.pem", "own.key"), KeyPairFiles._load_once
    renewals = iter([OTHER])

    def renewed_meanwhile(self: KeyPairFiles, context: ssl.SSLContext) -> str:
        for leaf in renewals:
            leaf.cert_chain_pems[0].write_to_path(self.certificate_path)
            leaf.private_key_pem.write_to_path(self.key_path)
        return judged(self, context)

    monkeypatch.setattr(KeyPairFiles, "_load_once", renewed_meanwhile)

    assert pair.load().key == OTHER.private_key_pem.bytes()
    assert pair.load().certificate == OTHER.cert_chain_pems[0].bytes()


@pytest.mark.parametrize("content", [b"", b"no certificate", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_roots_hold_a_certificate(files: Path, content: bytes) -> None:
    """A file without any certificate is no root of trust."""
    assert load_roots(files / "ca.pem") == AUTHORITY.cert_pem.bytes()
    (files / "ca.pem").write_bytes(content)

    with pytest.raises(TlsFileError, match=r"/ca\.pem holds no certificate in PEM form"):
        load_roots(files / "ca.pem")


def test_a_bundle_of_roots_may_have_remarks_in_any_letters(files: Path) -> None:
    """Bundles of public roots name each authority in its own language between the certificates."""
    other = trustme.CA().cert_pem.bytes()
    bundle = "# Főtanúsítvány\n".encode() + AUTHORITY.cert_pem.bytes() + "# Zaufana Główna\n".encode() + other
    (files / "ca.pem").write_bytes(bundle)

    assert load_roots(files / "ca.pem") == bundle
    assert len(ClientTls(files / "ca.pem").context().get_ca_certs()) == 2


def test_a_client_reads_renewed_files_for_each_connection(files: Path) -> None:
    """The context of the next connection trusts the roots that the file holds by then."""
    tls = ClientTls(files / "ca.pem", _pair(files, "own.pem", "own.key"))
    before = tls.context().get_ca_certs()
    trustme.CA().cert_pem.write_to_path(files / "ca.pem")

    after = tls.context().get_ca_certs()

    assert len(before) == len(after) == 1
    assert before != after
    assert tls.context().check_hostname


_CERT, _KEY, _CA = "CUTLINE_GRPC_TLS_CERT_FILE", "CUTLINE_GRPC_TLS_KEY_FILE", "CUTLINE_GRPC_TLS_CLIENT_CA_FILE"


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({}, ()),
        ({_CERT: "own.pem", _KEY: "own.key"}, ()),
        ({_CERT: "own.pem", _KEY: "own.key", _CA: "ca.pem"}, ()),
        ({_CERT: "own.pem"}, (f"{_KEY}: is required, because {_CERT} is set",)),
        ({_KEY: "own.key"}, (f"{_CERT}: is required, because {_KEY} is set",)),
        ({_CA: "ca.pem"}, (f"{_CERT}: is required, because {_CA} is set",)),
        ({_CERT: "own.pem", _KEY: "none"}, (f"{_KEY}: '@none' cannot be read (No such file or directory)",)),
        (
            {_CERT: "own.pem", _KEY: "other.key"},
            (f"{_CERT}: the key in @other.key is not the one of the certificate in @own.pem",),
        ),
        ({_CERT: "own.pem", _KEY: "own.key", _CA: "text"}, (f"{_CA}: @text holds no certificate in PEM form",)),
    ],
)
def test_the_files_of_a_grpc_server(files: Path, given: dict[str, str], problems: tuple[str, ...]) -> None:
    """Certificate and key go together, a client CA needs them, and each file is judged at start."""
    env = EnvReader({name: str(files / value) for name, value in given.items()})
    tls = GrpcTlsSettings.read(env)

    assert _problems(env) == tuple(problem.replace("@", f"{files}/") for problem in problems)
    if not problems:
        assert (tls is None) == (not given)
        assert (tls and tls.client_ca_path) == (files / "ca.pem" if _CA in given else None)


_PG_CA, _PG_CERT = "CUTLINE_POSTGRES_CA_FILE", "CUTLINE_POSTGRES_CLIENT_CERT_FILE"
_PG_KEY = "CUTLINE_POSTGRES_CLIENT_KEY_FILE"


@pytest.mark.parametrize(
    ("query", "given", "problems"),
    [
        ("?sslmode=disable", {}, ()),
        ("?sslmode=verify-full&sslrootcert=/x", {}, ()),
        ("", {_PG_CA: "ca.pem"}, ()),
        ("?sslmode=verify-full", {_PG_CA: "ca.pem", _PG_CERT: "own.pem", _PG_KEY: "own.key"}, ()),
        (
            "?sslmode=require",
            {_PG_CA: "ca.pem"},
            (f"{_PG_CA}: means sslmode=verify-full, and CUTLINE_POSTGRES_DSN says sslmode=require",),
        ),
        (
            "?sslrootcert=/x",
            {_PG_CA: "ca.pem"},
            (f"{_PG_CA}: has its place here, and CUTLINE_POSTGRES_DSN says sslrootcert too; only one may",),
        ),
        ("", {_PG_CERT: "own.pem", _PG_KEY: "own.key"}, (f"{_PG_CA}: is required, because {_PG_CERT} is set",)),
        ("", {_PG_CA: "ca.pem", _PG_CERT: "own.pem"}, (f"{_PG_KEY}: is required, because {_PG_CERT} is set",)),
    ],
)
def test_the_files_for_postgres(files: Path, query: str, given: dict[str, str], problems: tuple[str, ...]) -> None:
    """An address may still say what it likes of TLS, unless the variables say it too."""
    env = EnvReader(
        {"CUTLINE_POSTGRES_DSN": f"postgresql://u@h/d{query}"}
        | {name: str(files / value) for name, value in given.items()}
    )
    settings = PostgresSettings.read(env)

    assert _problems(env) == problems
    if not problems:
        assert (settings.tls is not None) == (_PG_CA in given)


def test_roots_of_the_object_store_need_tls(files: Path) -> None:
    """Roots beside an address in plaintext are a mistake that would else be seen by nobody."""
    name = "CUTLINE_S3_CA_FILE"
    login = {"CUTLINE_S3_ACCESS_KEY": "k", "CUTLINE_S3_SECRET_KEY": "s", name: str(files / "ca.pem")}
    env = EnvReader({**login, "CUTLINE_S3_ENDPOINT": "https://s3:1"})
    assert S3Settings.read(env).ca_path == files / "ca.pem"
    assert _problems(env) == ()

    env = EnvReader({**login, "CUTLINE_S3_ENDPOINT": "http://s3:1"})
    S3Settings.read(env)
    assert _problems(env) == (f"{name}: is set, and CUTLINE_S3_ENDPOINT begins with http://",)

"""The blob store on a real S3 server: what is put comes back, and signed addresses allow exactly what they say."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import trustme
from structlog.testing import capture_logs

from cutline.blobs.errors import BlobMissingError
from cutline.blobs.keys import upload_key
from cutline.blobs.store import BlobHead, S3BlobStore, SignedPut
from cutline.domain.errors import Reason, UnavailableError
from cutline.embedded.servers import EmbeddedServers
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import S3Settings
from tests.support.relay import Relay

BYTES = b"\x89PNG\r\n\x1a\n" + os.urandom(5000)
SHA256 = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def settings(servers: EmbeddedServers) -> S3Settings:
    """Settings of the running server."""
    return S3Settings.read(EnvReader(servers.environment()))


@pytest.fixture
async def blobs(settings: S3Settings) -> AsyncIterator[S3BlobStore]:
    """A started store."""
    store = S3BlobStore(settings)
    await store.start()
    yield store
    await store.stop()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client that knows nothing but URLs."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def upload(blobs: S3BlobStore, tenant: str) -> tuple[str, SignedPut]:
    """A key nobody used, and the signed PUT of BYTES to it."""
    key = upload_key(tenant, uuid4())
    return key, blobs.presign_put(key, size_bytes=len(BYTES), media_type="image/png", sha256=SHA256)


async def test_files_and_profiles_of_the_user_change_nothing(
    settings: S3Settings, tenant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that does not exist and a configuration file that names another store are not looked at."""
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://127.0.0.1:1\nregion = nowhere\n", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "none-such")
    store = S3BlobStore(settings)
    await store.start()
    try:
        await store.put(f"{tenant}/a", BYTES, media_type="image/png", sha256=SHA256)
        assert await store.get(f"{tenant}/a") == BYTES
    finally:
        await store.stop()


async def test_what_is_put_comes_back(blobs: S3BlobStore, tenant: str) -> None:
    """Bytes, length, type and digest survive the way through the store."""
    key = f"{tenant}/a"
    await blobs.put(key, BYTES, media_type="image/png", sha256=SHA256)

    assert await blobs.get(key) == BYTES
    assert BlobHead(size_bytes=len(BYTES), media_type="image/png", sha256=SHA256) == await blobs.head(key)


async def test_a_put_with_another_digest_is_refused(blobs: S3BlobStore, tenant: str) -> None:
    """The store keeps nothing whose bytes do not have the digest they were announced with."""
    key = f"{tenant}/a"
    with pytest.raises(UnavailableError):
        await blobs.put(key, BYTES, media_type="image/png", sha256=hashlib.sha256(b"other").hexdigest())

    assert await blobs.head(key) is None


async def test_missing_objects_are_told_apart(blobs: S3BlobStore, tenant: str) -> None:
    """A key without an object is missing for get, nothing for head, and no error for delete."""
    key = f"{tenant}/nothing"
    with pytest.raises(BlobMissingError):
        await blobs.get(key)
    assert await blobs.head(key) is None
    await blobs.delete(key)


async def test_listing_sees_one_prefix_and_delete_empties_it(blobs: S3BlobStore, tenant: str) -> None:
    """A listing holds every object under its prefix and no other; after the delete it is empty."""
    keys = [f"{tenant}/d/{number:04}" for number in range(25)]
    await asyncio.gather(*(blobs.put(key, b"x", media_type="text/plain") for key in keys))
    await blobs.put(f"{tenant}/e", b"x", media_type="text/plain")

    assert keys == [entry.key async for entry in blobs.list_prefix(f"{tenant}/d/")]
    await blobs.delete(*keys)
    assert [entry async for entry in blobs.list_prefix(f"{tenant}/d/")] == []
    assert await blobs.head(f"{tenant}/e") is not None


async def test_a_store_that_is_away_is_unavailable() -> None:
    """An address where nobody listens gives the reason BLOBS_UNAVAILABLE and a readiness problem, no other error."""
    away = S3BlobStore(S3Settings("http://127.0.0.1:9", "http://127.0.0.1:9", "key", "secret"))
    await away.start()
    try:
        with pytest.raises(UnavailableError) as caught:
            await away.get("a")
        assert caught.value.reason is Reason.BLOBS_UNAVAILABLE
        with capture_logs() as lines:
            assert await away.problem() == "the object store does not answer"
        assert lines == []  # it is asked all the time, and whoever asks tells of it
    finally:
        await away.stop()


async def test_a_store_is_trusted_by_the_root_of_the_settings(
    settings: S3Settings, tenant: str, tmp_path: Path
) -> None:
    """Over HTTPS the given root vouches for the store; without it, and by another root, nothing is sent there."""
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with Relay(settings.endpoint.removeprefix("http://"), tls=tls) as relay:
        for ca_path, trusted in ((tmp_path / "ca.pem", True), (tmp_path / "other.pem", False), (None, False)):
            relay.asked.clear()
            store = S3BlobStore(replace(settings, endpoint=f"https://{relay.target}", ca_path=ca_path))
            await store.start()
            try:
                assert (await store.problem() is None) is trusted
                if trusted:
                    await store.put(f"{tenant}/a", BYTES, media_type="image/png", sha256=SHA256)
                    assert await store.get(f"{tenant}/a") == BYTES
                assert bool(relay.asked) is trusted
            finally:
                await store.stop()


async def test_a_store_that_answers_and_takes_no_files_is_an_outage(blobs: S3BlobStore) -> None:
    """A full one is told by writing to it: it answers questions as ever."""
    assert await blobs.outage() is None

    async def full(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        state = b"507 Insufficient Storage" if head.startswith(b"PUT ") else b"200 OK"
        writer.write(b"HTTP/1.1 " + state + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(full, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        store = S3BlobStore(S3Settings(f"http://{host}:{port}", f"http://{host}:{port}", "key", "secret"))
        await store.start()
        try:
            assert await store.problem() is None
            assert await store.outage() == "the object store takes no files"
        finally:
            await store.stop()


async def test_readiness_names_a_missing_bucket(settings: S3Settings, blobs: S3BlobStore) -> None:
    """The check is content with the real bucket and names one that does not exist."""
    assert await blobs.problem() is None
    other = S3BlobStore(
        S3Settings(settings.endpoint, settings.endpoint, settings.access_key, settings.secret_key, bucket="no-such")
    )
    await other.start()
    try:
        assert await other.problem() == "the bucket no-such does not exist"
    finally:
        await other.stop()


async def test_a_signed_upload_takes_exactly_the_bytes_announced(
    blobs: S3BlobStore, http: httpx.AsyncClient, upload: tuple[str, SignedPut]
) -> None:
    """The announced bytes with the announced headers are accepted and known by their digest."""
    key, signed = upload
    answer = await http.put(signed.url, content=BYTES, headers=signed.headers)

    assert answer.status_code == httpx.codes.OK, answer.text
    assert BlobHead(size_bytes=len(BYTES), media_type="image/png", sha256=SHA256) == await blobs.head(key)


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        pytest.param(BYTES[:-1] + b"?", {}, id="other bytes of the same length"),
        pytest.param(BYTES + b"more", {"Content-Length": str(len(BYTES) + 4)}, id="longer"),
        pytest.param(BYTES[:-1], {"Content-Length": str(len(BYTES) - 1)}, id="shorter"),
        pytest.param(BYTES, {"Content-Type": "image/jpeg"}, id="other type"),
        pytest.param(BYTES, {"x-amz-checksum-sha256": None}, id="no digest"),
        pytest.param(
            b"?" * len(BYTES),
            {"x-amz-checksum-sha256": "qqSgMR0cSHu+yKi8s0CQ7FlF1fNTkHOMh7vI/OVdfSk="},
            id="other digest",
        ),
    ],
)
async def test_a_signed_upload_refuses_anything_else(
    blobs: S3BlobStore,
    http: httpx.AsyncClient,
    upload: tuple[str, SignedPut],
    body: bytes,
    changed: dict[str, str | None],
) -> None:
    """The store itself refuses another content, length, type or digest, and keeps nothing of it."""
    key, signed = upload
    headers = {name: value for name, value in (signed.headers | changed).items() if value is not None}
    answer = await http.put(signed.url, content=body, headers=headers)

    assert answer.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.FORBIDDEN}, answer.text
    assert await blobs.head(key) is None


async def test_a_signed_upload_works_for_its_own_key_and_method_only(
    http: httpx.AsyncClient, tenant: str, upload: tuple[str, SignedPut]
) -> None:
    """The address of one upload neither writes another key nor reads."""
    key, signed = upload
    elsewhere = signed.url.replace(key, upload_key(tenant, uuid4()))

    assert (await http.put(elsewhere, content=BYTES, headers=signed.headers)).status_code == httpx.codes.FORBIDDEN
    read = await http.request("GET", signed.url, content=BYTES, headers=signed.headers)
    assert read.status_code == httpx.codes.FORBIDDEN


async def test_a_signed_download_names_its_file(blobs: S3BlobStore, http: httpx.AsyncClient, tenant: str) -> None:
    """A download carries the bytes, the type asked for and a file name, also one beyond ASCII."""
    key = f"{tenant}/käse & co/a b+c~.png"
    await blobs.put(key, BYTES, media_type="application/octet-stream")
    signed = blobs.presign_get(key, file_name='Löwe "1".png', media_type="image/png")
    answer = await http.get(signed.url)

    assert answer.content == BYTES
    assert answer.headers["content-type"] == "image/png"
    assert "filename*=UTF-8''L%C3%B6we%20%221%22.png" in answer.headers["content-disposition"]


async def test_an_address_dies_with_a_change_or_without_its_signature(
    blobs: S3BlobStore, http: httpx.AsyncClient, tenant: str
) -> None:
    """A download with a longer life than signed, or with no signature, is refused."""
    key = f"{tenant}/a"
    await blobs.put(key, BYTES, media_type="image/png")
    url = blobs.presign_get(key, file_name="a.png", media_type="image/png", expires_s=60).url

    longer = url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")
    assert (await http.get(longer)).status_code == httpx.codes.FORBIDDEN
    assert (await http.get(url.partition("?")[0])).status_code == httpx.codes.FORBIDDEN

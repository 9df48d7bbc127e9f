"""The S3 store of a service: one long-lived client for the service, signed addresses for everybody else."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from opentelemetry.trace import Span, SpanKind

from cutline.blobs.errors import BlobMissingError, translated, unavailable
from cutline.blobs.http_session import FaithfulSession
from cutline.blobs.signing import SigningIdentity, content_disposition, signed_url
from cutline.domain.errors import CutlineError
from cutline.runtime.settings import S3Settings
from cutline.telemetry.names import Attribute
from cutline.telemetry.names import Span as SpanName
from cutline.telemetry.setup import Telemetry

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CONNECT_TIMEOUT_S: Final = 2.0
READ_TIMEOUT_S: Final = 20.0
MAX_ATTEMPTS: Final = 3
MAX_CONNECTIONS: Final = 64
PROBE_TIMEOUT_S: Final = 1.5
PROBE_KEY: Final = "write-probe"
"""What `outage` writes; no tenant's object, and no orphan either."""
DELETE_BATCH: Final = 1000
"""Most keys S3 deletes in one request."""

UPLOAD_EXPIRES_S: Final = 300
DOWNLOAD_EXPIRES_S: Final = 3600


@dataclass(frozen=True, slots=True)
class BlobHead:
    """What the store says of an object; `sha256` in hexadecimal, empty where the store does not know it."""

    size_bytes: int
    media_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """One object of a listing."""

    key: str
    size_bytes: int
    modified_time: datetime


@dataclass(frozen=True, slots=True)
class SignedPut:
    """Where and how to upload: the PUT must carry `headers` exactly."""

    url: str
    headers: dict[str, str]
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class SignedGet:
    """Where to download until `expire_time`."""

    url: str
    expire_time: datetime


class S3BlobStore:
    """A part that holds the client of one bucket.

    Signing needs no connection: it works before `start` and while the store is away.
    """

    def __init__(self, settings: S3Settings, *, telemetry: Telemetry | None = None) -> None:
        self._settings = settings
        self._telemetry = telemetry or Telemetry.silent()
        self._public = SigningIdentity(
            endpoint=settings.public_endpoint,
            access_key=settings.access_key,
            secret_key=settings.secret_key,
            region=settings.region,
        )
        self._stack = AsyncExitStack()
        self._open_client: S3Client | None = None

    async def start(self) -> None:
        """Makes the client; it connects when it is first used, so a store that is away delays nothing here."""
        self._open_client = await self._stack.enter_async_context(
            aioboto3.Session(botocore_session=_session()).client(
                "s3",
                endpoint_url=self._settings.endpoint,
                aws_access_key_id=self._settings.access_key,
                aws_secret_access_key=self._settings.secret_key,
                region_name=self._settings.region,
                verify=str(self._settings.ca_path) if self._settings.ca_path else None,
                config=_config(),
            )
        )

    async def stop(self) -> None:
        """Closes the client's connections."""
        self._open_client = None
        await self._stack.aclose()

    async def problem(self) -> str | None:
        """What keeps the bucket from being used, or None: a readiness check."""
        if self._open_client is None:
            return "the object store was not asked yet"
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                with translated("head_bucket", told=False):
                    await self._client.head_bucket(Bucket=self._settings.bucket)
        except BlobMissingError:
            return f"the bucket {self._settings.bucket} does not exist"
        except (CutlineError, TimeoutError):
            return "the object store does not answer"
        return None

    async def outage(self) -> str | None:
        """What keeps everybody from storing files, or None; a store that is full or read-only still answers."""
        if (found := await self.problem()) is not None:
            return found
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                with translated("write_probe", PROBE_KEY, told=False):
                    await self._client.put_object(Bucket=self._settings.bucket, Key=PROBE_KEY, Body=b"")
        except (CutlineError, TimeoutError):
            return "the object store takes no files"
        return None

    async def put(self, key: str, data: bytes, *, media_type: str, sha256: str | None = None) -> None:
        """Stores bytes under a key, replacing what was there.

        Args:
            key: Key of the object.
            data: Its bytes.
            media_type: Its type.
            sha256: Their digest in hexadecimal; the store refuses bytes that have another.

        Raises:
            UnavailableError: The store did not take them.
        """
        with self._observed("put", SpanName.BLOB_PUT, key) as span:
            span.set_attribute(Attribute.SIZE_BYTES, len(data))
            if sha256 is None:
                await self._client.put_object(Bucket=self._settings.bucket, Key=key, Body=data, ContentType=media_type)
            else:
                await self._client.put_object(
                    Bucket=self._settings.bucket,
                    Key=key,
                    Body=data,
                    ContentType=media_type,
                    ChecksumSHA256=_base64_of(sha256),
                )

    async def get(self, key: str) -> bytes:
        """Every byte of an object.

        Raises:
            BlobMissingError: There is none of that key.
            UnavailableError: The store did not answer.
        """
        with self._observed("get", SpanName.BLOB_GET, key) as span:
            answer = await self._client.get_object(Bucket=self._settings.bucket, Key=key)
            async with answer["Body"] as body:
                data = await body.read()
            span.set_attribute(Attribute.SIZE_BYTES, len(data))
            return data

    async def head(self, key: str) -> BlobHead | None:
        """What the store knows of an object; None when there is none.

        Raises:
            UnavailableError: The store did not answer.
        """
        try:
            with self._observed("head", SpanName.BLOB_HEAD, key):
                answer = await self._client.head_object(Bucket=self._settings.bucket, Key=key, ChecksumMode="ENABLED")
        except BlobMissingError:
            return None
        digest = base64.b64decode(answer.get("ChecksumSHA256", ""))
        return BlobHead(
            size_bytes=answer["ContentLength"], media_type=answer.get("ContentType", ""), sha256=digest.hex()
        )

    async def delete(self, *keys: str) -> None:
        """Removes objects; one that is not there is no error.

        Raises:
            UnavailableError: The store did not remove them all; doing it again is safe.
        """
        for first in range(0, len(keys), DELETE_BATCH):
            batch = keys[first : first + DELETE_BATCH]
            with self._observed("delete", SpanName.BLOB_DELETE, batch[0]):
                answer = await self._client.delete_objects(
                    Bucket=self._settings.bucket,
                    Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                )
                if answer.get("Errors"):
                    raise unavailable()

    async def list_prefix(self, prefix: str) -> AsyncIterator[BlobEntry]:
        """Every object whose key begins with `prefix`, in order of keys.

        Raises:
            UnavailableError: The store did not answer.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._settings.bucket, Prefix=prefix)
        with translated("list", prefix):
            async for page in pages:
                for found in page.get("Contents", ()):
                    yield BlobEntry(found["Key"], found["Size"], found["LastModified"])

    async def list_after(self, key: str, *, limit: int) -> list[BlobEntry]:
        """The next objects of the whole bucket after a key, in order of keys.

        Args:
            key: Where the last listing ended; empty begins at the first object.
            limit: Objects at most, up to 1,000.

        Raises:
            UnavailableError: The store did not answer.
        """
        with translated("list", key):
            page = await self._client.list_objects_v2(Bucket=self._settings.bucket, StartAfter=key, MaxKeys=limit)
        return [BlobEntry(found["Key"], found["Size"], found["LastModified"]) for found in page.get("Contents", ())]

    def presign_put(
        self, key: str, *, size_bytes: int, media_type: str, sha256: str, expires_s: int = UPLOAD_EXPIRES_S
    ) -> SignedPut:
        """Signs an upload of exactly these bytes: the store refuses another length, type or content.

        Args:
            key: Key the object will have.
            size_bytes: Its length.
            media_type: Its type.
            sha256: Digest of its bytes, hexadecimal.
            expires_s: How long the address works.
        """
        headers = {
            "Content-Length": str(size_bytes),
            "Content-Type": media_type,
            "x-amz-checksum-sha256": _base64_of(sha256),
        }
        now = datetime.now(UTC)
        url = signed_url(
            self._public,
            method="PUT",
            bucket=self._settings.bucket,
            key=key,
            now=now,
            expires_s=expires_s,
            headers=headers,
        )
        return SignedPut(url=url, headers=headers, expire_time=now + timedelta(seconds=expires_s))

    def presign_get(
        self, key: str, *, file_name: str, media_type: str, expires_s: int = DOWNLOAD_EXPIRES_S
    ) -> SignedGet:
        """Signs a download.

        Args:
            key: Key of the object.
            file_name: Name under which a browser saves it.
            media_type: Type the answer names.
            expires_s: How long the address works.
        """
        now = datetime.now(UTC)
        url = signed_url(
            self._public,
            method="GET",
            bucket=self._settings.bucket,
            key=key,
            now=now,
            expires_s=expires_s,
            query={
                "response-content-disposition": content_disposition(file_name),
                "response-content-type": media_type,
            },
        )
        return SignedGet(url=url, expire_time=now + timedelta(seconds=expires_s))

    @property
    def _client(self) -> S3Client:
        if self._open_client is None:
            msg = "the blob store is not started"
            raise RuntimeError(msg)
        return self._open_client

    @contextmanager
    def _observed(self, operation: str, name: SpanName, key: str) -> Iterator[Span]:
        """Traces and measures one operation and translates what it raises."""
        attributes = {Attribute.BLOB_OPERATION.value: operation, Attribute.OUTCOME.value: "failed"}
        began = time.perf_counter()
        tracer = self._telemetry.tracer
        try:
            with tracer.start_as_current_span(name, kind=SpanKind.CLIENT) as span, translated(operation, key):
                yield span
                attributes[Attribute.OUTCOME] = "done"
        except BlobMissingError:
            attributes[Attribute.OUTCOME] = "missing"
            raise
        finally:
            self._telemetry.metrics.blob_duration_s.record(time.perf_counter() - began, attributes)


def _session() -> AioSession:
    """A session of what it is given: a profile or a file of the user's neither adds to it nor fails it."""
    nothing = (None, None, None, None)  # no name in a file, none in the environment, no default, no conversion
    no_file = (None, None, os.devnull, None)
    return AioSession(session_vars={"profile": nothing, "config_file": no_file, "credentials_file": no_file})


def _config() -> AioConfig:
    return AioConfig(
        http_session_cls=FaithfulSession,
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        max_pool_connections=MAX_CONNECTIONS,
        # Checksums are given where they matter; a CRC over every request would be work without use.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def _base64_of(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()

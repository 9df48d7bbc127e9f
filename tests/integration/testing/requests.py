"""Requests that several tests make."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

from PIL import Image, ImageDraw

from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1 import job_pb2
from tests.integration.testing.raw_api import RawApi

LATER = datetime.now(UTC) + timedelta(days=1)
NOBODY = "00000000-0000-7000-8000-000000000000"


def artwork(color: str) -> bytes:
    """A disc on white as PNG, which the real engine makes a sticker of."""
    picture = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(picture).ellipse((30, 30, 170, 170), fill=color)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def held() -> job_pb2.JobOptions:
    """Options that keep work from starting during the test."""
    options = job_pb2.JobOptions()
    options.not_before_time.FromDatetime(LATER)
    return options


def uuid_of(number: int) -> str:
    """A request id of a test."""
    return str(UUID(int=(7 << 76) | (2 << 62) | number))


def upload_of(data: bytes, **more: object) -> pb.CreateUploadRequest:
    """A request to upload these bytes."""
    digest = hashlib.sha256(data).hexdigest()
    request = pb.CreateUploadRequest(filename="disc.png", media_type="image/png", size_bytes=len(data), sha256=digest)
    request.MergeFrom(pb.CreateUploadRequest(**more))  # type: ignore[arg-type]  # fields of the message
    return request


def uploaded(api: RawApi, data: bytes) -> str:
    """An upload with its bytes; its id."""
    upload: pb.Upload = api.call(api.ingest.CreateUpload, upload_of(data))
    api.transfer("PUT", upload.url, content=data, headers=dict(upload.headers))
    return upload.id

"""The SDK: submit, watch and download from Python, light enough for any process."""

from __future__ import annotations

from cutline.client.async_client import AsyncClient
from cutline.client.designs import AsyncDesign, AsyncDesigns
from cutline.client.errors import (
    ApiError,
    ArtworkFileError,
    ClientError,
    ConflictError,
    DeadlineExceededError,
    DesignDeletedError,
    DesignFailedError,
    DownloadError,
    FieldViolation,
    InvalidArgumentError,
    NotConfiguredError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    PreconditionError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UploadError,
    WaitTimeoutError,
)
from cutline.client.queue import AsyncQueue, dead_letter_filter
from cutline.client.settings import ClientSettings
from cutline.domain.sticker_spec import StickerSpec

__all__ = [
    "ApiError",
    "ArtworkFileError",
    "AsyncClient",
    "AsyncDesign",
    "AsyncDesigns",
    "AsyncQueue",
    "ClientError",
    "ClientSettings",
    "ConflictError",
    "DeadlineExceededError",
    "DesignDeletedError",
    "DesignFailedError",
    "DownloadError",
    "FieldViolation",
    "InvalidArgumentError",
    "NotConfiguredError",
    "NotFoundError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "PreconditionError",
    "ResourceExhaustedError",
    "StickerSpec",
    "UnauthenticatedError",
    "UnavailableError",
    "UploadError",
    "WaitTimeoutError",
    "dead_letter_filter",
]

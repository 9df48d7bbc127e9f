"""The SDK: submit, watch and download from Python, light enough for any process.

`Client` is for threads, `AsyncClient` for asyncio; both have the same methods. See docs/sdk.md.
"""

from __future__ import annotations

from cutline.client.artwork import Artwork
from cutline.client.async_client import AsyncClient
from cutline.client.async_design import AsyncDesign
from cutline.client.async_designs import AsyncDesigns
from cutline.client.async_queue import AsyncQueue
from cutline.client.client import Client
from cutline.client.design import Design
from cutline.client.designs import Designs
from cutline.client.errors import (
    ApiError,
    ArtworkFileError,
    BadSettingError,
    ClientClosedError,
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
from cutline.client.queue import Queue
from cutline.client.queue_requests import dead_letter_filter
from cutline.client.requests import job_options
from cutline.client.settings import ClientSettings
from cutline.client.specs import SpecFields, make_spec
from cutline.client.states import TERMINAL, state_name
from cutline.domain.sticker_spec import StickerSpec

__all__ = [
    "TERMINAL",
    "ApiError",
    "Artwork",
    "ArtworkFileError",
    "AsyncClient",
    "AsyncDesign",
    "AsyncDesigns",
    "AsyncQueue",
    "BadSettingError",
    "Client",
    "ClientClosedError",
    "ClientError",
    "ClientSettings",
    "ConflictError",
    "DeadlineExceededError",
    "Design",
    "DesignDeletedError",
    "DesignFailedError",
    "Designs",
    "DownloadError",
    "FieldViolation",
    "InvalidArgumentError",
    "NotConfiguredError",
    "NotFoundError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "PreconditionError",
    "Queue",
    "ResourceExhaustedError",
    "SpecFields",
    "StickerSpec",
    "UnauthenticatedError",
    "UnavailableError",
    "UploadError",
    "WaitTimeoutError",
    "dead_letter_filter",
    "job_options",
    "make_spec",
    "state_name",
]

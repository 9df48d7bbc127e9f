"""Artwork on its way out: read, recognised, digested and put to the object store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final

import httpx

from cutline.client.errors import ArtworkFileError, UploadError

PUT_TRIES: Final = 3
PUT_TIMEOUT_S: Final = 60.0
PUT_PAUSE_S: Final = 0.2

_EXTENSIONS: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".svg": "image/svg+xml",
}

# Where a format's first bytes stand, and which they are.
_MAGIC: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypavis", "image/avif"),
)


@dataclass(frozen=True, slots=True)
class ArtworkFile:
    """Artwork in memory with what an upload promises about it."""

    data: bytes
    filename: str
    media_type: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes, 64 lowercase hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


async def read_artwork(
    artwork: str | PathLike[str] | bytes, *, filename: str = "", media_type: str = ""
) -> ArtworkFile:
    """Artwork from a path or from memory.

    Args:
        artwork: A path, or the bytes themselves.
        filename: Label; empty means the path's last part.
        media_type: Media type; empty means that it is told from the first bytes, else from the extension.

    Raises:
        ArtworkFileError: The file cannot be read, or its type is none that is taken.
    """
    if isinstance(artwork, bytes):
        data, name = artwork, filename or "artwork"
    else:
        path = Path(artwork)
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            message = f"{path}: {error.strerror or error}"
            raise ArtworkFileError(message) from None
        name = filename or path.name
    kind = media_type or media_type_of(data) or _EXTENSIONS.get(Path(name).suffix.lower(), "")
    if not kind:
        message = f"{name}: not a PNG, JPEG, WebP, TIFF, GIF, AVIF or SVG file"
        raise ArtworkFileError(message)
    return ArtworkFile(data, name, kind)


def media_type_of(data: bytes) -> str:
    """The media type that the first bytes tell; empty where they tell none that is taken."""
    for offset, magic, media_type in _MAGIC:
        if data.startswith(magic, offset) and (media_type != "image/webp" or data.startswith(b"RIFF")):
            return media_type
    return "image/svg+xml" if b"<svg" in data[:1024] else ""


async def put_artwork(http: httpx.AsyncClient, url: str, headers: Mapping[str, str], data: bytes) -> None:
    """Puts the bytes to their signed address; a store that does not answer well is asked again.

    Raises:
        UploadError: The store refused the bytes, or did not take them in the last try either.
    """
    for tries_left in reversed(range(PUT_TRIES)):
        try:
            await _put_once(http, url, headers, data)
        except UploadError as error:
            if not (tries_left and error.retryable):
                raise
            await asyncio.sleep(PUT_PAUSE_S)
        else:
            return


async def _put_once(http: httpx.AsyncClient, url: str, headers: Mapping[str, str], data: bytes) -> None:
    try:
        answer = await http.put(url, headers=dict(headers), content=data, timeout=PUT_TIMEOUT_S)
    except httpx.TransportError as error:
        message = f"The object store at {httpx.URL(url).host} cannot be reached ({type(error).__name__})."
        raise UploadError(message, retryable=True) from error
    if not answer.is_success:
        message = f"The object store refused the artwork with HTTP {answer.status_code}."
        raise UploadError(message, retryable=answer.is_server_error)

"""Artwork on its way out: recognised and digested, and read once for each try of its upload."""

from __future__ import annotations

import hashlib
import tempfile
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from io import BytesIO
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, cast

from cutline.client.errors import ArtworkFileError

BLOCK_BYTES: Final = 256 * 1024
MOST_IN_MEMORY_BYTES: Final = 8 * 1024 * 1024
"""What is kept in memory of a file object that cannot be read twice; more of it goes to a temporary file."""

_HEAD_BYTES: Final = 1024
_UNNAMED: Final = "artwork"

MEDIA_TYPES_BY_SUFFIX: Final = {
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


class Readable(Protocol):
    """A file object open for reading bytes; it need not be seekable."""

    @abstractmethod
    def read(self, size: int = -1, /) -> bytes:
        """At most that many bytes; none at the end."""


Artwork = str | PathLike[str] | bytes | bytearray | Readable
"""A path, the bytes themselves, or a file object open for reading bytes."""


class _Seekable(Readable, Protocol):
    def seek(self, offset: int, /) -> int: ...
    def tell(self) -> int: ...


class ArtworkSource:
    """Artwork that can be read as often as its upload takes tries; a context manager.

    A path or file object is read in blocks and never held whole: once for its digest, once for each try.

    Args:
        artwork: A path, the bytes themselves, or a file object, which is read from where it stands. One that cannot
            be read twice is copied to a temporary file, and so is a named pipe. It is not closed.
        filename: Label; empty means the path's last part.
        media_type: Media type; empty means that it is told from the first bytes, else from the extension.

    Attributes:
        filename: Label.
        media_type: Media type.
        size_bytes: Length.
        sha256: SHA-256 of the bytes, 64 lowercase hexadecimal digits.

    Raises:
        ArtworkFileError: It cannot be read, or its type is none that is taken.
        TypeError: It is nothing of all that.
    """

    def __init__(self, artwork: Artwork, *, filename: str = "", media_type: str = "") -> None:
        self._open = ExitStack()
        self._start = 0
        self._artwork: Path | _Seekable = BytesIO()
        self.filename = filename
        try:
            self._artwork = self._readable_again(artwork)
            self.size_bytes, self.sha256, head = self._digest()
            self.media_type = media_type or media_type_of(head) or self._type_by_name()
        except BaseException:
            self.close()
            raise

    def blocks(self) -> Iterator[bytes]:
        """The bytes from the first one on.

        Raises:
            ArtworkFileError: They cannot be read.
        """
        try:
            with self._opened() as file:
                while block := file.read(BLOCK_BYTES):
                    yield self._bytes(block)
        except UnicodeDecodeError:
            raise self._opened_as_text() from None
        except OSError as error:
            raise self._unreadable(error) from None

    def blocks_as_digested(self) -> Iterator[bytes]:
        """As `blocks`, for sending: never more or less than the size that was promised.

        Raises:
            ArtworkFileError: They cannot be read, or are more or fewer than they were.
        """
        left_bytes = self.size_bytes
        for block in self.blocks():
            left_bytes -= len(block)
            if left_bytes < 0:
                break
            yield block
        if left_bytes:
            message = f"{self.filename}: it was changed while it was uploaded"
            raise ArtworkFileError(message)

    def close(self) -> None:
        """Removes what was copied."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _readable_again(self, artwork: Artwork) -> Path | _Seekable:
        if isinstance(artwork, bytes | bytearray):
            self.filename = self.filename or _UNNAMED
            return BytesIO(artwork)
        if isinstance(artwork, str | PathLike):
            path = Path(artwork)
            self.filename = self.filename or _in_unicode(path.name)
            return self._drained(path) if path.is_fifo() else path
        if not hasattr(artwork, "read"):
            message = f"artwork is a path, bytes or a file object open for reading bytes, not {type(artwork).__name__}"
            raise TypeError(message)
        name = getattr(artwork, "name", None)
        self.filename = self.filename or (_in_unicode(Path(name).name) if isinstance(name, str) else _UNNAMED)
        if getattr(artwork, "seekable", bool)():
            file = cast("_Seekable", artwork)
            self._start = file.tell()
            return file
        return self._copied(artwork)

    def _drained(self, pipe: Path) -> _Seekable:
        """What a named pipe gives, which is nothing the second time."""
        try:
            with pipe.open("rb") as file:
                return self._copied(file)
        except OSError as error:
            raise self._unreadable(error) from None

    def _copied(self, file: Readable) -> _Seekable:
        copy = tempfile.SpooledTemporaryFile(max_size=MOST_IN_MEMORY_BYTES)  # noqa: SIM115  (`close` closes it)
        self._open.callback(copy.close)
        try:
            while block := file.read(BLOCK_BYTES):
                copy.write(self._bytes(block))
        except UnicodeDecodeError:
            raise self._opened_as_text() from None
        except OSError as error:
            raise self._unreadable(error) from None
        return copy

    def _opened(self) -> AbstractContextManager[Readable]:
        if isinstance(self._artwork, Path):
            return self._artwork.open("rb")
        self._artwork.seek(self._start)
        return nullcontext(self._artwork)

    def _digest(self) -> tuple[int, str, bytes]:
        size_bytes, digest, head = 0, hashlib.sha256(), b""
        for block in self.blocks():
            head = head or block[:_HEAD_BYTES]
            size_bytes += len(block)
            digest.update(block)
        if not size_bytes:
            message = f"{self.filename}: it is empty"
            raise ArtworkFileError(message)
        return size_bytes, digest.hexdigest(), head

    def _bytes(self, block: bytes) -> bytes:
        if not isinstance(block, bytes):
            raise self._opened_as_text()
        return block

    def _opened_as_text(self) -> ArtworkFileError:
        return ArtworkFileError(f"{self.filename}: the file object gives text, not bytes: open it with mode 'rb'")

    def _unreadable(self, error: OSError) -> ArtworkFileError:
        where = self._artwork if isinstance(self._artwork, Path) else self.filename
        return ArtworkFileError(f"{where}: {error.strerror or error}")

    def _type_by_name(self) -> str:
        try:
            return MEDIA_TYPES_BY_SUFFIX[Path(self.filename).suffix.lower()]
        except KeyError:
            message = f"{self.filename}: not a PNG, JPEG, WebP, TIFF, GIF, AVIF or SVG file"
            raise ArtworkFileError(message) from None


def _in_unicode(name: str) -> str:
    """A file name as text that can be sent: names are bytes, and not all are Unicode."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def media_type_of(data: bytes) -> str:
    """The media type that the first bytes tell; empty where they tell none that is taken."""
    for offset, magic, media_type in _MAGIC:
        if data.startswith(magic, offset) and (media_type != "image/webp" or data.startswith(b"RIFF")):
            return media_type
    return "image/svg+xml" if b"<svg" in data[:_HEAD_BYTES] else ""

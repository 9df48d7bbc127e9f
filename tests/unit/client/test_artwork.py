"""What an upload promises about a file."""

from __future__ import annotations

import hashlib
import os
import threading
import tracemalloc
from io import BytesIO, StringIO
from pathlib import Path

import pytest

from cutline.client import Artwork, ArtworkFileError
from cutline.client.artwork import BLOCK_BYTES, ArtworkSource, media_type_of


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
        (b"RIFX\x01\x02\x03\x04WEBPVP8 ", ""),
        (b"\0\0\0\x1cftypavif", "image/avif"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x">', "image/svg+xml"),
        (b"%PDF-1.6", ""),
        (b"", ""),
    ],
)
def test_the_first_bytes_tell_the_type(head: bytes, media_type: str) -> None:
    """Every format is told by its own mark, whatever the file is called."""
    assert media_type_of(head) == media_type


def test_the_bytes_go_before_the_name(tmp_path: Path) -> None:
    """A JPEG called .png is announced as the JPEG it is; what the bytes do not tell the extension does."""
    path = tmp_path / "fox.png"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with ArtworkSource(path) as found:
        assert (found.media_type, found.filename) == ("image/jpeg", "fox.png")
    path.write_bytes(b"text")
    with ArtworkSource(path) as found:
        assert found.media_type == "image/png"


@pytest.mark.parametrize(
    ("name", "why"), [("missing.png", "No such file"), ("notes.txt", "not a PNG"), ("empty.png", "it is empty")]
)
def test_a_file_that_cannot_be_sent_is_named(tmp_path: Path, name: str, why: str) -> None:
    """A file that is not there, empty or no picture is refused before anything is sent."""
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ArtworkFileError, match=rf"{name}.*{why}"):
        ArtworkSource(tmp_path / name)


class Pipe:
    """A file object that can be read once."""

    def __init__(self, data: bytes) -> None:
        self._file = BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        """Gives what is left, in pieces smaller than asked for."""
        return self._file.read(min(size, 1000))


def kinds_of(data: bytes, path: Path) -> dict[str, Artwork]:
    """The same artwork in every way it can be given."""
    path.write_bytes(data)
    behind = BytesIO(b"other" + data)
    behind.seek(5)
    return {
        "path": path,
        "text": str(path),
        "bytes": data,
        "array": bytearray(data),
        "file": behind,
        "pipe": Pipe(data),
    }


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "array", "file", "pipe"])
def test_artwork_is_the_same_however_it_is_given_and_each_time_it_is_read(tmp_path: Path, kind: str) -> None:
    """Size, digest and bytes agree for a path, bytes, a file object that stands elsewhere, and one that cannot."""
    data = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 5000
    with ArtworkSource(kinds_of(data, tmp_path / "fox.png")[kind]) as found:
        assert (found.size_bytes, found.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert found.media_type == "image/png"
        for _ in range(3):
            assert b"".join(found.blocks_as_digested()) == data


def test_a_file_is_never_held_whole(tmp_path: Path) -> None:
    """Digesting and reading 40 MB of a file takes no more memory than a few blocks."""
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(40_000_000)
    tracemalloc.start()
    try:
        with ArtworkSource(path) as found:
            assert sum(map(len, found.blocks_as_digested())) == 40_000_000
        assert tracemalloc.get_traced_memory()[1] < 8 * BLOCK_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("more", [b"", b"12345678 and more"])
def test_a_file_that_changes_meanwhile_is_told(tmp_path: Path, more: bytes) -> None:
    """A file that shrank or grew after it was digested is not sent as another."""
    path = tmp_path / "fox.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with ArtworkSource(path) as found:
        path.write_bytes(more)
        with pytest.raises(ArtworkFileError, match=r"fox\.png: it was changed"):
            list(found.blocks_as_digested())


def test_what_is_no_artwork_is_refused(tmp_path: Path) -> None:
    """A number is a TypeError, and a file opened as text is told how to be opened."""
    with pytest.raises(TypeError, match="not int"):
        ArtworkSource(5)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ArtworkFileError, match="mode 'rb'"):
        ArtworkSource(StringIO("text"))  # type: ignore[arg-type]  # what is tested
    path = tmp_path / "fox.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with path.open(encoding="utf-8") as file, pytest.raises(ArtworkFileError, match=r"fox\.png: .* mode 'rb'"):
        ArtworkSource(file)  # type: ignore[arg-type]  # what is tested


def test_a_file_object_says_its_name(tmp_path: Path) -> None:
    """An open file is labelled with the last part of its path, and one without a name all the same."""
    path = tmp_path / "fox.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with path.open("rb") as file, ArtworkSource(file) as found:
        assert found.filename == "fox.png"
    with ArtworkSource(b"\x89PNG\r\n\x1a\n") as found:
        assert found.filename == "artwork"


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    """What a shell's <(...) names gives its bytes a single time, and is sent as often as it takes all the same."""
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    data = b"\x89PNG\r\n\x1a\n" + bytes(1000)
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    with ArtworkSource(path) as found:
        writer.join()
        for _ in range(2):
            assert b"".join(found.blocks_as_digested()) == data


def test_a_name_that_is_no_unicode_can_be_sent(tmp_path: Path) -> None:
    """Bytes of a file name that no text holds are shown as such, for the services take text."""
    path = tmp_path / os.fsdecode(b"fox-\xff.png")
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with ArtworkSource(path) as found:
        assert found.filename == "fox-\N{REPLACEMENT CHARACTER}.png"

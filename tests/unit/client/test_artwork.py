"""What an upload promises about a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutline.client import ArtworkFileError
from cutline.client.artwork import media_type_of, read_artwork


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


async def test_the_bytes_go_before_the_name(tmp_path: Path) -> None:
    """A JPEG called .png is announced as the JPEG it is; what the bytes do not tell the extension does."""
    path = tmp_path / "fox.png"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    found = await read_artwork(path)
    assert (found.media_type, found.filename) == ("image/jpeg", "fox.png")
    path.write_bytes(b"text")
    assert (await read_artwork(path)).media_type == "image/png"


@pytest.mark.parametrize(("name", "why"), [("missing.png", "No such file"), ("notes.txt", "not a PNG")])
async def test_a_file_that_cannot_be_sent_is_named(tmp_path: Path, name: str, why: str) -> None:
    """A file that is not there or no picture is refused before anything is sent."""
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ArtworkFileError, match=rf"{name}.*{why}"):
        await read_artwork(tmp_path / name)

"""What a file is, by its first bytes."""

from __future__ import annotations

import re
from typing import Final

SVG: Final = "image/svg+xml"

_SNIFF_BYTES: Final = 16_384
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
)
_SVG_ROOT: Final = re.compile(r"<(?:[A-Za-z_][\w.-]*+:)?svg[\s/>]")
_SPACE: Final = re.compile(r"\s*+")
_SUBSET_END: Final = re.compile(r"\]\s*+>")


def sniff_media_type(head: bytes) -> str | None:
    """Media type of a file that starts with `head`, one of cutline.domain.artwork.MEDIA_TYPES, or None.

    16 kB are more than enough; SVG wants its root element among them.
    """
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and _is_avif(head):
        return "image/avif"
    text = _as_text(head[:_SNIFF_BYTES])
    return SVG if _SVG_ROOT.match(text, _prologue_end(text)) else None


def _prologue_end(text: str) -> int:
    """Where the XML declaration, instructions, comments and a document type end.

    Each piece is taken off at its first end: one pattern for them all takes years over a few hundred hostile bytes.
    """
    at = _past_space(text, 0)
    while (end := _piece_end(text, at)) is not None:
        at = _past_space(text, end)
    return at


def _piece_end(text: str, at: int) -> int | None:
    if text.startswith("<?", at):
        return _after(text, "?>", at)
    if text.startswith("<!--", at):
        return _after(text, "-->", at)
    if not text.startswith("<!DOCTYPE", at):
        return None
    plain, subset = text.find(">", at), text.find("[", at)
    if subset == -1 or -1 < plain < subset:
        return _after(text, ">", at)
    found = _SUBSET_END.search(text, subset)
    return None if found is None else found.end()


def _after(text: str, mark: str, at: int) -> int | None:
    found = text.find(mark, at)
    return None if found == -1 else found + len(mark)


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _is_avif(head: bytes) -> bool:
    """Whether the file type box names an AVIF brand, as its own or among the compatible ones."""
    box_bytes = int.from_bytes(head[:4], "big")
    brands = head[8 : min(box_bytes, 256)]
    return any(brands[at : at + 4] in {b"avif", b"avis"} for at in range(0, len(brands), 4))


def _as_text(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", errors="ignore").removeprefix("\ufeff")
    return head.decode("utf-8", errors="ignore").removeprefix("\ufeff")

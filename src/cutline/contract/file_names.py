"""What a file is called where somebody saves it."""

from __future__ import annotations

from typing import Final

from cutline.domain.outputs import FILE_NAMES, OutputFormat

_EXTENSIONS: Final = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


def artifact_file_name(kind: str) -> str:
    """Name of an artifact by its kind, such as cutout.png for CUTOUT_PNG; a kind of a later release by its own name."""
    try:
        return FILE_NAMES[OutputFormat(kind)]
    except ValueError:
        return f"{kind.lower().replace('_', '-')}.bin"


def mockup_file_name(scene: str, media_type: str) -> str:
    """Name of a mockup, such as mockup-laptop.jpg."""
    return f"mockup-{scene}.{_EXTENSIONS.get(media_type, 'bin')}"

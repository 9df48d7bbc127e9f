"""The files of designs, fetched into folders of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cutline.client import AsyncDesign, ClientError


class LocalFileError(ClientError):
    """A file of a design cannot be put where it belongs."""


class NoFilesError(ClientError):
    """A design has no files, or none yet."""


async def fetch_files(design: AsyncDesign, folder: Path) -> Sequence[Path]:
    """Fetches a design's files.

    Raises:
        LocalFileError: They cannot be put into the folder.
        ClientError: They cannot be fetched.
    """
    try:
        return await design.download(folder)
    except OSError as error:
        message = f"{error.filename or folder}: {error.strerror or error}"
        raise LocalFileError(message) from None

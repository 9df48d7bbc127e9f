"""Files of one sticker, written all or none."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


def write_set(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes files into a folder, which is made if need be; where one cannot be written, all is left as it was.

    Everything is written beside its place first and then moved there. Files of these names are replaced.

    Args:
        files: Contents by name.
        folder: Where they go.

    Raises:
        OSError: One cannot be written; `filename` is its place, or the folder.
    """
    with _told_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
        beside = TemporaryDirectory(prefix=".cutline-", dir=folder, ignore_cleanup_errors=True)
    with beside as name, ExitStack() as undo:
        for file_name, data in files.items():
            with _told_of(folder / file_name):
                (Path(name) / file_name).write_bytes(data)
        for file_name in files:
            with _told_of(folder / file_name):
                _move(Path(name) / file_name, folder / file_name, undo)
        undo.pop_all()


def _move(written: Path, place: Path, undo: ExitStack) -> None:
    """Moves a file to its place, and notes how to take it back."""
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if os.path.lexists(place):
        former = written.with_name(f"{written.name}.former")
        place.replace(former)
        undo.callback(former.replace, place)
    written.replace(place)
    undo.callback(place.unlink)


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Errors name this path, not one beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error

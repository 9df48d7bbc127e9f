"""Which files are meant by what stands on a command line: files, folders, standard input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cutline.client.artwork import MEDIA_TYPES_BY_SUFFIX

STANDARD_INPUT: Final = "-"
SUFFIXES: Final = frozenset(MEDIA_TYPES_BY_SUFFIX)
"""Of the files in a folder those that are taken, whatever their case; a file named by itself is taken by its bytes."""


@dataclass(frozen=True, slots=True)
class Source:
    """Artwork to submit, or what was found in its place.

    Attributes:
        name: What it is called in messages, and its files' folder; no two are alike.
        path: Where it is; None means standard input.
        problem: Why it cannot be submitted; empty where nothing is known to stand in the way.
    """

    name: str
    path: Path | None
    problem: str = ""

    @property
    def shown(self) -> str:
        """What a user calls it."""
        return STANDARD_INPUT if self.path is None else str(self.path)


def find_sources(words: Iterable[str], *, recursive: bool, input_name: str) -> list[Source]:
    """Every artwork that is meant, in the order of the words, and of names within a folder.

    In a folder hidden files and folders are left out, and links to folders are not followed, so that no loop of them
    does any harm. A file that is meant twice is taken once.

    Args:
        words: Paths of files and folders, and `-` for standard input.
        recursive: Whether folders in folders are looked at too.
        input_name: File name of what comes from standard input.
    """
    found: list[Source] = []
    names: set[str] = set()
    seen: set[str] = set()
    for word in words:
        if word == STANDARD_INPUT:
            found.append(Source(_unused(Path(input_name).stem, names), None))
            continue
        for path, name, problem in _meant(Path(word), recursive=recursive):
            place = os.path.realpath(path)
            if problem or place not in seen:
                found.append(Source(_unused(name, names), path, problem))
            seen.add(place)
    return found


def _meant(path: Path, *, recursive: bool) -> Iterator[tuple[Path, str, str]]:
    """Path, name and problem of each file that a path means."""
    if not os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises where a folder on the way is closed)
        yield path, path.stem, ""
        return
    nothing = True
    for inner, problem in _artwork_in(path, recursive=recursive):
        nothing = False
        yield inner, path.name if inner == path else inner.relative_to(path).with_suffix("").as_posix(), problem
    if nothing:
        kinds = ", ".join(sorted(suffix.removeprefix(".") for suffix in SUFFIXES))
        hint = "" if recursive else "; --recursive looks into its folders too"
        yield path, path.name, f"is a folder without artwork ({kinds}){hint}"


def _artwork_in(folder: Path, *, recursive: bool) -> Iterator[tuple[Path, str]]:
    """Each file of a folder that is artwork by its name, and each folder that cannot be read with the reason."""
    ahead = [folder]
    while ahead:
        path = ahead.pop()
        if path != folder and (path.is_symlink() or not path.is_dir()):
            if path.suffix.lower() in SUFFIXES and not os.path.isdir(path):  # noqa: PTH112  (as above)
                yield path, ""
        elif path == folder or recursive:
            try:
                inner = sorted(path.iterdir(), reverse=True)
            except OSError as error:
                yield path, error.strerror or str(error)
            else:
                ahead += [one for one in inner if not one.name.startswith(".")]


def _unused(name: str, taken: set[str]) -> str:
    """The name, numbered where another has it; case does not tell two apart, for some file systems ignore it."""
    name = name if name.strip(".") else "artwork"
    unused, number = name, 1
    while unused.casefold() in taken:
        number += 1
        unused = f"{name}-{number}"
    taken.add(unused.casefold())
    return unused

"""What files, folders and standard input on a command line mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cutline.cli.artwork_files import SUFFIXES, Source, find_sources
from cutline.client.artwork import ArtworkSource


def touch(root: Path, *names: str) -> None:
    """Makes files, and the folders on the way to them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def found(*words: Path | str, recursive: bool = False) -> list[Source]:
    """What is meant by these words."""
    return find_sources([str(word) for word in words], recursive=recursive, input_name="order 7.png")


def test_a_folder_means_its_artwork(tmp_path: Path) -> None:
    """Files of known suffixes in any case, in order of their names; neither hidden ones nor others nor folders."""
    touch(tmp_path, "b.PNG", "a.svg", "notes.txt", ".hidden.png", "deep/c.png", "folder.png/d.png")
    assert [(one.name, one.path) for one in found(tmp_path)] == [
        ("a", tmp_path / "a.svg"),
        ("b", tmp_path / "b.PNG"),
    ]


def test_recursive_means_folders_in_folders_too(tmp_path: Path) -> None:
    """Files further down are called by their way; hidden folders are left out."""
    touch(tmp_path, "b.png", "a/x.png", "a/deep/y.png", ".git/z.png", "c/x.png")
    assert [one.name for one in found(tmp_path, recursive=True)] == ["a/deep/y", "a/x", "b", "c/x"]


def test_a_loop_of_links_does_no_harm(tmp_path: Path) -> None:
    """Links to folders are not followed; a folder that is itself named by a link is."""
    touch(tmp_path, "art/a.png")
    (tmp_path / "art" / "again").symlink_to(tmp_path / "art")
    (tmp_path / "art" / "up.png").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "art")
    assert [one.name for one in found(tmp_path / "art", recursive=True)] == ["a"]
    assert [one.name for one in found(tmp_path / "link", recursive=True)] == ["a"]


def test_a_file_meant_twice_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another way, through a link, or in a folder that is named too."""
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "art/a.png")
    (tmp_path / "art" / "link.png").symlink_to("a.png")
    assert [one.shown for one in found("art/a.png", "./art/../art/a.png", "art", "art")] == ["art/a.png"]


def test_names_differ_whatever_the_file_system_makes_of_case(tmp_path: Path) -> None:
    """Equal names are numbered, so that no design's files replace those of another."""
    touch(tmp_path, "one/a.png", "two/A.jpg", "two/a.svg", "two/a-2.png")
    names = [one.name for one in found(tmp_path / "one", tmp_path / "two")]
    assert names == ["a", "A-2", "a-2-2", "a-3"]
    assert len({name.casefold() for name in names}) == 4


def test_standard_input_is_called_by_its_file_name() -> None:
    """A hyphen is standard input; its name can be given."""
    assert found("-") == [Source("order 7", None)]
    assert found("-")[0].shown == "-"


@pytest.mark.parametrize(("recursive", "hint"), [(False, "--recursive looks into its folders too"), (True, "svg")])
def test_a_folder_without_artwork_says_so(tmp_path: Path, recursive: bool, hint: str) -> None:
    """What is taken is told, and what might help."""
    touch(tmp_path, "notes.txt", ".a.png")
    (only,) = found(tmp_path, recursive=recursive)
    assert only.problem.startswith("is a folder without artwork (avif, gif, jpeg, jpg, png, svg, tif, tiff, webp)")
    assert hint in only.problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_closed_folder_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is told with its reason beside what was found."""
    touch(tmp_path, "a.png", "closed/b.png")
    (tmp_path / "closed").chmod(0)
    try:
        first, second = found(tmp_path, recursive=True)
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert (first.problem, second.problem) == ("", "Permission denied")


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_is_one_the_sdk_takes(tmp_path: Path, suffix: str) -> None:
    """The suffixes that a folder is searched for are those the SDK knows a media type of."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"?")
    with ArtworkSource(path) as source:
        assert source.media_type.startswith("image/")

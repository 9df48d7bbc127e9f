"""`cutline process`: the engine on one file, with no server."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import json_format
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from cutline.cli.app import app
from cutline.v1 import report_pb2
from tests.support.press_profiles import icc_profile

FILES = ["cutline.dxf", "cutline.svg", "cutout.png", "preview.png", "print.pdf", "report.json"]


@pytest.fixture(scope="module")
def artwork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red disc of 900 px on a transparent canvas."""
    picture = Image.new("RGBA", (1000, 1000))
    ImageDraw.Draw(picture).ellipse((50, 50, 949, 949), fill=(200, 30, 40, 255))
    path = tmp_path_factory.mktemp("artwork") / "disc.png"
    picture.save(path)
    return path


def written(picture: Image.Image) -> bytes:
    """A picture as PNG bytes."""
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def test_every_file_is_written_at_the_size_asked_for(artwork: Path, tmp_path: Path) -> None:
    """Six files lie in the folder, the report is the contract's message, and the width is the one asked for."""
    out = tmp_path / "new" / "folder"
    result = CliRunner().invoke(app, ["process", str(artwork), "--out", str(out), "--width-mm", "50"])
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == FILES
    report = json_format.Parse((out / "report.json").read_text("utf-8"), report_pb2.Report())
    assert report.geometry.cut_width_mm == pytest.approx(50, abs=0.01)
    assert "50.00 x 50.00 mm" in result.stdout


def test_options_reach_the_engine(artwork: Path, tmp_path: Path) -> None:
    """A choice in lower case, a flag and a format change what is made."""
    options = ["--cut-type", "kiss_cut", "--white-ink", "--format", "print_pdf", "--border-mm", "0"]
    result = CliRunner().invoke(app, ["process", str(artwork), "--out", str(tmp_path), *options])
    assert result.exit_code == 0, result.stderr
    # The cutout and the report are what later stages read: they are made always.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cutout.png", "print.pdf", "report.json"]
    report = json_format.Parse((tmp_path / "report.json").read_text("utf-8"), report_pb2.Report())
    assert (report.resolved_spec.cut_type, report.resolved_spec.white_ink) == (2, True)
    assert {path.role for path in report.cut_paths} == {report_pb2.CutPath.ROLE_KISS, report_pb2.CutPath.ROLE_THROUGH}


@pytest.mark.parametrize(
    ("width_mm", "fail_on", "code"),
    [("50", "warn", 0), ("50", "fail", 0), ("900", "warn", 1), ("900", "fail", 1), ("900", "", 0)],
)
def test_fail_on_turns_a_verdict_into_the_exit_code(
    artwork: Path, tmp_path: Path, width_mm: str, fail_on: str, code: int
) -> None:
    """Art blown up beyond its pixels fails its checks; --fail-on says whether the command does. Files are written."""
    options = ["--width-mm", width_mm, "--format", "report_json", *(["--fail-on", fail_on] if fail_on else [])]
    result = CliRunner().invoke(app, ["process", str(artwork), "--out", str(tmp_path), *options])
    assert result.exit_code == code, result.stdout
    assert (tmp_path / "report.json").exists()


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("empty.png", b"", "empty"),
        ("cut.png", written(Image.new("RGB", (80, 80), "red"))[:60], ""),
        ("text.png", b"hello, I am not a picture\n" * 40, "none of PNG"),
        ("clear.png", written(Image.new("RGBA", (200, 200))), "transparent"),
        ("one.png", written(Image.new("RGB", (1, 1))), ""),
    ],
)
def test_bad_artwork_is_one_line_and_exit_code_2(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    """Whatever is wrong with a file, the command names the file and the reason in one line and makes nothing."""
    path = tmp_path / name
    path.write_bytes(data)
    result = CliRunner().invoke(app, ["process", str(path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert name in result.stderr
    assert why in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--width-mm", "nan"], "width_mm: nan is not 5 to 1000 mm"),
        (["--width-mm", "inf"], "width_mm: inf is not 5 to 1000 mm"),
        (["--border-mm", "20.1"], "border_mm: 20.1 is not -5 to 20 mm"),
        (["--alpha-threshold", "1"], "alpha_threshold: 1 is not above 0 and below 1"),
        (["--border-color", "red"], "border_color: 'red' is not #rrggbb"),
        (["--printer-preset", "fax"], "printer_preset: 'fax' is not one of"),
        (["--width-mm", "5"], "width_mm: 5 leaves"),
    ],
)
def test_a_value_beyond_its_limit_is_named(artwork: Path, tmp_path: Path, options: list[str], named: str) -> None:
    """Field, value and limit stand in the one line."""
    result = CliRunner().invoke(app, ["process", str(artwork), "--out", str(tmp_path / "out"), *options])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert named in result.stderr


def test_a_press_profile_makes_a_pdf_x_4_file(artwork: Path, tmp_path: Path) -> None:
    """With a profile print.pdf claims PDF/X-4; without one it does not, and the command says so."""
    profile = tmp_path / "press.icc"
    profile.write_bytes(icc_profile())
    options = ["process", str(artwork), "--out", str(tmp_path), "--format", "print_pdf"]

    with_profile = CliRunner().invoke(app, [*options, "--press-profile", str(profile)])
    assert with_profile.exit_code == 0, with_profile.stderr
    assert b"PDF/X-4" in (tmp_path / "print.pdf").read_bytes()
    assert "PDF/X" not in with_profile.stdout

    without = CliRunner().invoke(app, options)
    assert without.exit_code == 0, without.stderr
    assert b"PDF/X-4" not in (tmp_path / "print.pdf").read_bytes()
    assert "claims no PDF/X" in without.stdout


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "No such file"),
        (b"not a profile", "is not an ICC profile"),
        (icc_profile(kind=b"mntr"), "is an ICC profile of class mntr; a press profile is of class prtr"),
    ],
)
def test_a_press_profile_that_is_none_is_named(artwork: Path, tmp_path: Path, data: bytes | None, why: str) -> None:
    """A missing file and a screen's profile are bad input, told in one line, and nothing is made."""
    profile = tmp_path / "press.icc"
    if data is not None:
        profile.write_bytes(data)
    options = ["--out", str(tmp_path / "out"), "--press-profile", str(profile)]
    result = CliRunner().invoke(app, ["process", str(artwork), *options])

    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "press.icc" in result.stderr
    assert why in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is bad input."""
    result = CliRunner().invoke(app, ["process", str(tmp_path / "no.png"), "--out", str(tmp_path / "out")])
    assert (result.exit_code, "no.png: No such file" in result.stderr) == (2, True)


def test_a_missing_extra_names_the_mend(artwork: Path, tmp_path: Path) -> None:
    """Without the pixel libraries the command says what to install."""
    script = "import sys; sys.modules['numpy'] = None; from cutline.cli.__main__ import main; main()"
    command = [sys.executable, "-c", script, "process", str(artwork), "--out", str(tmp_path / "out")]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert shown.returncode == 2
    assert shown.stderr == "error: numpy is not installed: pip install 'cutline[imaging]'\n"


@pytest.mark.parametrize("earlier", [False, True])
def test_files_are_written_all_or_none(artwork: Path, tmp_path: Path, earlier: bool) -> None:
    """Where one file cannot be written the folder stays as it was, and the error names that file."""
    out = tmp_path / "out"
    (out / "print.pdf" / "inside").mkdir(parents=True)
    if earlier:
        (out / "cutout.png").write_bytes(b"of an earlier run")

    result = CliRunner().invoke(app, ["process", str(artwork), "--out", str(out), "--format", "print_pdf"])

    assert result.exit_code == 2
    assert result.stderr == f"error: {out / 'print.pdf'}: Is a directory; nothing was written\n"
    assert sorted(path.name for path in out.iterdir()) == [*["cutout.png"] * earlier, "print.pdf"]
    assert (out / "print.pdf" / "inside").is_dir()
    assert not earlier or (out / "cutout.png").read_bytes() == b"of an earlier run"


def test_files_of_an_earlier_run_are_replaced(artwork: Path, tmp_path: Path) -> None:
    """A second run puts its files in place of the first's, leaves other files alone, and nothing of its own behind."""
    (tmp_path / "report.json").write_bytes(b"of an earlier run")
    (tmp_path / "notes.txt").write_bytes(b"mine")

    result = CliRunner().invoke(app, ["process", str(artwork), "--out", str(tmp_path), "--format", "report_json"])

    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cutout.png", "notes.txt", "report.json"]
    assert b"cut_width_mm" in (tmp_path / "report.json").read_bytes()
    assert (tmp_path / "notes.txt").read_bytes() == b"mine"


def test_a_folder_that_is_a_file_is_named(artwork: Path, tmp_path: Path) -> None:
    """--out at a file is bad input."""
    taken = tmp_path / "taken"
    taken.write_bytes(b"a file")
    result = CliRunner().invoke(app, ["process", str(artwork), "--out", str(taken), "--format", "report_json"])
    assert (result.exit_code, result.stderr) == (2, f"error: {taken}: File exists; nothing was written\n")


def test_an_empty_folder_name_is_refused(artwork: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--out with nothing in it is named as wrong usage, and nothing is written where one happens to be."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["process", str(artwork), "--out", ""])
    assert result.exit_code == 2
    assert "'--out': is empty" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("option", [False, True])
def test_a_pipe_is_refused_by_name(artwork: Path, tmp_path: Path, option: bool) -> None:
    """A pipe that nobody writes to is refused at once, as artwork and as press profile."""
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    files = [str(artwork), "--press-profile", str(pipe)] if option else [str(pipe)]
    result = CliRunner().invoke(app, ["process", *files, "--out", str(tmp_path / "out")])
    assert (result.exit_code, result.stderr) == (2, f"error: {pipe}: is no regular file\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file names")
def test_control_characters_of_names_are_shown_as_escapes(artwork: Path, tmp_path: Path) -> None:
    """A file name neither steers the terminal nor breaks the line, in errors and in results."""
    folder = tmp_path / "a\x1b[31mred\nb\u202e"
    folder.mkdir()
    (folder / "ok.png").write_bytes(artwork.read_bytes())

    made = CliRunner().invoke(app, ["process", str(folder / "ok.png"), "--out", str(folder), "--format", "report_json"])
    missing = CliRunner().invoke(app, ["process", str(folder / "no.png"), "--out", str(folder)])

    assert (made.exit_code, missing.exit_code) == (0, 2)
    assert made.stdout.count("a\\x1b[31mred\\nb\\u202e") == 2
    assert "a\\x1b[31mred\\nb\\u202e" in missing.stderr
    assert missing.stderr.count("\n") == 1
    assert not {"\x1b", "\u202e"} & set(made.stdout + missing.stderr)

"""`cutline submit` and `watch` of many designs, against the SDK's fake server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from cutline.cli.app import app
from cutline.cli.board import Board
from cutline.client import Client
from cutline.testing import DesignState, Failed, FakeServer, Held, Ready
from tests.support.command import COMMAND, PATIENCE_S, on_terminal, start

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server whose designs end READY at once."""
    with FakeServer() as running:
        yield running


@pytest.fixture
def art(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of six artworks, beside which the tests run."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "art"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.png").write_bytes(PNG + bytes([number]))
    return folder


def cutline(server: FakeServer, *arguments: str, typed: bytes | None = None) -> Result:
    """Runs the command in this process."""
    return CliRunner().invoke(app, list(arguments), env={**server.environment, "NO_COLOR": "1"}, input=typed)


def lines(text: str) -> list[dict[str, Any]]:
    """The values of ndjson."""
    return [json.loads(line) for line in text.splitlines()]


def until(fact: Callable[[], bool]) -> None:
    """Waits until a fact of the server comes true."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline_s
        os.sched_yield()


def until_accepted(server: FakeServer, number: int) -> None:
    """Waits until so many designs were accepted."""
    until(lambda: len(server.designs) == number)


def unfinished(server: FakeServer) -> list[str]:
    """Ids of the designs under way, oldest first."""
    return [design.id for design in server.designs if not design.HasField("finish_time")]


def test_no_more_designs_than_the_window_are_under_way(server: FakeServer, art: Path) -> None:
    """While it waits, the command submits another file only when a design has ended."""
    server.outcome = Held()
    process = start(server.environment, "submit", str(art), "--wait", "--window", "2", "--output", "ndjson")
    for ended in range(6):
        until_accepted(server, min(6, ended + 2))
        assert len(unfinished(server)) <= 2
        server.finish(unfinished(server)[0])
    told, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    assert [line["design"]["state"] for line in lines(told)] == ["STATE_READY"] * 6


def test_a_line_is_told_the_moment_a_design_ends(server: FakeServer, art: Path) -> None:
    """With ndjson the first line comes while other designs are still under way."""
    server.outcome = Held()
    process = start(server.environment, "submit", str(art), "--wait", "--window", "6", "--output", "ndjson")
    until(lambda: server.stream_count == 6)
    first = unfinished(server)[3]
    server.finish(first, Failed("NO_SUBJECT"))
    assert process.stdout is not None
    line = json.loads(process.stdout.readline())
    assert (line["design"]["id"], line["exit_code"], process.poll()) == (first, 1, None)
    for design_id in unfinished(server):
        server.finish(design_id)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_tells_what_is_under_way(server: FakeServer, art: Path, sent: signal.Signals, code: int) -> None:
    """Ctrl-C and SIGTERM end with a line for each accepted design, the number not submitted, and the way on."""
    server.outcome = Held()
    process = start(server.environment, "submit", str(art), "--wait", "--window", "2", "--output", "ndjson")
    until(lambda: server.stream_count == 2)
    process.send_signal(sent)
    told, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert {line["design"]["id"] for line in lines(told)} == set(unfinished(server))
    assert errors.splitlines()[0] == "stopped: 2 still under way, 4 not submitted"
    assert all(design_id in errors.splitlines()[1] for design_id in unfinished(server))
    assert "not made twice" in errors.splitlines()[2]


def test_time_that_is_up_is_told_with_4(server: FakeServer, art: Path) -> None:
    """A timeout means to wait, ends with 4 and says how to follow what goes on."""
    server.outcome = Held()
    shown = cutline(server, "submit", str(art / "0.png"), "--timeout", "0.2", "--output", "json")
    assert shown.exit_code == 4
    (design_id,) = unfinished(server)
    assert json.loads(shown.stdout)[0]["exit_code"] == 4
    assert f"cutline watch {design_id}" in shown.stderr


def test_files_that_fail_do_not_stop_the_rest(server: FakeServer, art: Path) -> None:
    """A missing file, one that is no picture and a design that fails leave the others to be made and fetched."""
    server.script(Failed("NO_SUBJECT", "Nothing was found."))
    (art / "9.jpg").write_bytes(b"")
    shown = cutline(server, "submit", str(art), "nowhere.png", "--out", "made", "--window", "1")
    assert shown.exit_code == 2
    assert sorted(path.name for path in Path("made").iterdir()) == ["1", "2", "3", "4", "5"]
    assert (Path("made") / "5" / "print.pdf").stat().st_size > 0
    complaints = [line for line in shown.stderr.splitlines() if line.startswith("error: ")]
    assert [re.split(r"[:\n]", line)[1].strip() for line in complaints] == [
        str(art / "0.png"),
        str(art / "9.jpg"),
        "nowhere.png",
    ]
    assert shown.stderr.splitlines()[-1] == "5 ready, 3 failed"


def test_a_service_that_goes_away_midway_stops_the_submit(server: FakeServer, art: Path) -> None:
    """What was accepted before is told as ever, what was not tried as such, and the exit code is 3."""
    server.script(Ready(), Ready())
    assert cutline(server, "submit", str(art / "0.png"), str(art / "1.png")).exit_code == 0
    server.fail_next("SubmitDesign", retry_after_s=0.0, times=100)
    shown = cutline(server, "submit", str(art), "--window", "1", "--output", "ndjson")
    assert shown.exit_code == 3
    assert ["not submitted" in line["error"] for line in lines(shown.stdout)] == [False] + [True] * 5


def test_a_refused_key_is_told_once(server: FakeServer, art: Path) -> None:
    """With a key that is not valid the other files are not tried."""
    shown = CliRunner().invoke(
        app, ["submit", str(art), "--window", "1"], env={**server.environment, "CUTLINE_API_KEY": "wrong"}
    )
    assert shown.exit_code == 2
    assert shown.stderr.count("UNAUTHENTICATED") == 1


@pytest.mark.parametrize("options", [["--width-mm", "2"], ["--label", "A B=x"], ["--reference", "r" * 300]])
def test_what_all_files_share_is_refused_once(server: FakeServer, art: Path, options: list[str]) -> None:
    """An option that is refused for one file is not tried with the others."""
    shown = cutline(server, "submit", str(art), "--window", "1", *options)
    assert shown.exit_code == 2
    assert shown.stderr.count("error: ") == 1
    assert len(server.requests_of("SubmitDesign")) == 1


def test_a_folder_that_cannot_be_made_is_refused_first(server: FakeServer, art: Path) -> None:
    """Nothing is submitted where the files could not be put."""
    shown = cutline(server, "submit", str(art), "--out", str(art / "0.png" / "made"))
    assert (shown.exit_code, server.designs) == (2, ())
    assert "--out" in shown.stderr


def test_titles_do_not_steer_the_terminal(server: FakeServer, art: Path) -> None:
    """Control characters that somebody else put into a title are shown as escapes."""
    with Client(server.settings) as client:
        design = client.designs.submit(art / "0.png", title="a\x1b[2Jb")
    for arguments in (["list"], ["get", design.id], ["watch", design.id]):
        shown = cutline(server, *arguments)
        assert "a\\x1b[2Jb" in shown.stdout
        assert "\x1b" not in shown.stdout


def test_a_server_that_comes_back_is_waited_for(server: FakeServer, art: Path) -> None:
    """A server that is killed and started again while the command waits changes nothing about the result."""
    server.outcome = Held()
    process = start(server.environment, "submit", str(art / "0.png"), "--wait", "--out", "made", "--output", "json")
    until(lambda: server.stream_count == 1)
    server.restart(abruptly=True)
    server.finish(unfinished(server)[0])
    told, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    assert json.loads(told)[0]["folder"] == "made/0"


def test_a_batch_is_repeated_without_making_anything_twice(server: FakeServer, art: Path) -> None:
    """Under the same name the same designs are found again, with their files; other bytes are refused by name."""
    first = lines(cutline(server, "submit", str(art), "--batch", "b", "--output", "ndjson").stdout)
    again = lines(cutline(server, "submit", str(art), "--batch", "b", "--output", "ndjson", "--out", "made").stdout)
    assert {one["file"]: one["design"]["id"] for one in first} == {one["file"]: one["design"]["id"] for one in again}
    assert (len(server.designs), len(list(Path("made").iterdir()))) == (6, 6)

    (art / "0.png").write_bytes(PNG + b"another")
    shown = cutline(server, "submit", str(art / "0.png"), "--batch", "b")
    assert shown.exit_code == 2
    assert "0.png: was submitted under --batch b before, with other bytes or other options" in shown.stderr


def test_standard_input_is_artwork(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hyphen takes what comes, under the file name that is given."""
    monkeypatch.chdir(tmp_path)
    shown = cutline(server, "submit", "-", "--filename", "order 7.png", "--out", "made", typed=PNG + b"typed")
    assert shown.exit_code == 0, shown.stderr
    (design,) = server.designs
    assert (design.title, server.artwork(design.id)) == ("order 7.png", PNG + b"typed")
    assert (tmp_path / "made" / "order 7" / "cutout.png").exists()


def test_names_that_are_no_unicode_or_too_long_are_submitted(server: FakeServer, art: Path) -> None:
    """A file system's bytes and its longest names are no reason to refuse a file."""
    (art / os.fsdecode(b"caf\xe9.png")).write_bytes(PNG)
    (art / f"{'n' * 240}.png").write_bytes(PNG + b"long")
    shown = cutline(server, "submit", str(art), "--output", "json")
    assert shown.exit_code == 0, shown.stderr
    assert {"caf\ufffd.png", "n" * 200} < {design.title for design in server.designs}
    assert cutline(server, "submit", str(art)).exit_code == 0


def test_uploads_tell_how_far_they_are(server: FakeServer, art: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table learns the share of each file that has left."""
    shares: list[float | None] = []
    told = Board.upload

    def upload(board: Board, name: str, share: float | None = None) -> None:
        shares.append(share)
        told(board, name, share)

    monkeypatch.setattr(Board, "upload", upload)
    (art / "0.png").write_bytes(PNG + bytes(3_000_000))
    assert cutline(server, "submit", str(art / "0.png")).exit_code == 0
    assert shares[0] is None
    assert shares[-1] == 1.0
    assert any(share is not None and 0 < share < 1 for share in shares)


def test_a_reader_that_went_away_ends_a_submit_quietly(server: FakeServer, art: Path) -> None:
    """Nothing is said on the error stream, and the code is that of a closed pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            (*COMMAND, "submit", str(art), "--output", "ndjson"),
            env={**os.environ, **server.environment},
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=PATIENCE_S,
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize("columns", [80, 40])
def test_a_terminal_shows_a_table_drawn_over_itself(server: FakeServer, art: Path, columns: int) -> None:
    """Counts and lines under way are drawn while it waits; at the end the cursor is back and the table complete."""
    server.outcome = Held()

    def finish() -> None:
        until(lambda: server.stream_count == 6)
        for design_id in unfinished(server):
            server.finish(design_id)

    code, written = on_terminal(server.environment, "submit", str(art), "--wait", columns=columns, then=finish)
    assert code == 0
    assert "\x1b[?25l" in written
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[1A")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    assert re.search(r"processing \d", plain)
    assert "6 of 6" in plain
    assert plain.count("\nart/") == 0
    assert all(plain.count(design.id) == 1 for design in server.designs)


@pytest.mark.parametrize(
    ("environment", "arguments"), [({"NO_COLOR": "1"}, []), ({}, ["--no-color"])], ids=["NO_COLOR", "--no-color"]
)
def test_a_table_without_colours_is_still_drawn(
    server: FakeServer, art: Path, environment: dict[str, str], arguments: list[str]
) -> None:
    """Colours and drawing are two things."""
    code, written = on_terminal(
        {**server.environment, **environment}, "submit", str(art), *arguments, columns=80, then=lambda: None
    )
    assert code == 0
    assert "\x1b[?25l" in written
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", written)


def test_a_dumb_terminal_gets_plain_lines(server: FakeServer, art: Path) -> None:
    """Where the cursor cannot be moved a change is a line, without any escape."""
    code, written = on_terminal(
        {**server.environment, "TERM": "dumb"}, "submit", str(art), columns=80, then=lambda: None
    )
    assert code == 0
    assert "\x1b" not in written
    assert "0  uploading" in written


def test_several_designs_are_watched_to_their_ends(server: FakeServer, art: Path) -> None:
    """Every revision is a line; one that fails and one that is not there are told with the highest code."""
    server.script(Ready(), Failed("NO_SUBJECT"))
    for name in ("0.png", "1.png"):
        cutline(server, "submit", str(art / name))
    good, bad = (design.id for design in server.designs)
    shown = cutline(server, "watch", good, bad, "nowhere", "--output", "ndjson")
    assert shown.exit_code == 2
    told = lines(shown.stdout)
    assert {line["design"]["id"]: line["design"]["state"] for line in told if "design" in line} == {
        good: "STATE_READY",
        bad: "STATE_FAILED",
    }
    assert [(line["design_id"], line["exit_code"]) for line in told if "design_id" in line] == [("nowhere", 2)]
    assert cutline(server, "watch", good, bad).exit_code == 1
    assert [
        one["design"]["id"] for one in json.loads(cutline(server, "watch", bad, good, "--output", "json").stdout)
    ] == [
        bad,
        good,
    ]


def test_a_watch_ends_in_time(server: FakeServer, art: Path) -> None:
    """A design that does not end in time is told with 4, whatever the others do."""
    server.script(Ready(), Held(DesignState.QUEUED))
    for name in ("0.png", "1.png"):
        cutline(server, "submit", str(art / name))
    shown = cutline(server, "watch", *(design.id for design in server.designs), "--timeout", "0.5")
    assert shown.exit_code == 4
    assert "did not end within 0.5 s" in shown.stderr


@pytest.mark.usefixtures("art")
def test_all_changes_are_watched_and_gone_on_with(server: FakeServer) -> None:
    """A watch over everything tells each change with its token, and by a token what came after it."""
    server.outcome = Held()
    first, process = first_change(server)
    (design_id,) = unfinished(server)
    assert (process.returncode, first["design"]["id"]) == (130, design_id)

    server.finish(design_id)
    second, process = first_change(server, "--resume-token", first["resume_token"])
    assert (process.returncode, second["design"]["state"]) == (130, "STATE_READY")


def first_change(server: FakeServer, *arguments: str) -> tuple[dict[str, Any], subprocess.Popen[str]]:
    """The first line of a watch over everything, which is then interrupted; where all is quiet a file is submitted."""
    process = start(server.environment, "watch", "--all", "--output", "ndjson", *arguments)
    if not server.designs:
        until(lambda: server.stream_count == 1)
        cutline(server, "submit", "art/0.png")
    assert process.stdout is not None
    line = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    return json.loads(line), process


def test_a_token_that_is_none_is_refused(server: FakeServer) -> None:
    """A token of somebody else ends the watch with a reason."""
    shown = cutline(server, "watch", "--all", "--resume-token", "nonsense")
    assert (shown.exit_code, shown.stderr.count("\n")) == (2, 1)
    assert "RESUME_TOKEN_INVALID" in shown.stderr


def test_downloads_are_told_and_one_that_fails_does_not_stop_the_others(server: FakeServer, art: Path) -> None:
    """Files of a design in its folder, a design without files, one that is not there, and a folder that is a file."""
    server.script(Held(), Ready())
    for name in ("0.png", "1.png"):
        cutline(server, "submit", str(art / name))
    held, ready = (design.id for design in server.designs)
    shown = cutline(server, "download", held, "nowhere", ready, "--out", "made", "--output", "json")
    assert shown.exit_code == 2
    told = json.loads(shown.stdout)
    assert "has no files" in told[0]["error"]
    assert "DESIGN_NOT_FOUND" in told[1]["error"]
    assert told[2]["folder"] == f"made/{ready}"
    assert all(Path(name).exists() for name in told[2]["files"])

    shown = cutline(server, "download", ready, "--out", str(art / "0.png"))
    assert (shown.exit_code, shown.stderr) == (2, f"error: {art / '0.png'}: File exists\n")


@pytest.mark.parametrize(("output", "shown"), [("table", "sch\\xf6n \\u56f3"), ("ndjson", "sch\\u00f6n \\u56f3")])
def test_a_narrow_stream_gets_escapes(server: FakeServer, art: Path, output: str, shown: str) -> None:
    """Where standard output is not Unicode, characters it lacks are escapes; those of JSON are JSON's."""
    cutline(server, "submit", str(art / "0.png"), "--title", "schön 図")
    process = start({**server.environment, "PYTHONIOENCODING": "ascii"}, "list", "--output", output)
    told, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    assert shown in told


@pytest.mark.parametrize("output", ["json", "ndjson"])
def test_lists_are_for_programs_too(server: FakeServer, art: Path, output: str) -> None:
    """A list is one value or a line for each design, with the filters told to the service."""
    cutline(server, "submit", str(art), "--label", "shop=7", "--title", ":cat: [red]x[/red]")
    arguments = ["list", "--label", "shop=7", "--since", "2020-01-01", "--limit", "4", "--output", output]
    shown = cutline(server, *arguments)
    told = lines(shown.stdout) if output == "ndjson" else json.loads(shown.stdout)
    assert [one["title"] for one in told] == [":cat: [red]x[/red]"] * 4
    shown = cutline(server, "list", "--before", "2020-01-01", "--output", output)
    assert (shown.exit_code, shown.stdout.strip()) == (0, "" if output == "ndjson" else "[]")


def test_what_is_done_to_designs_is_told_to_programs(server: FakeServer, art: Path) -> None:
    """Cancel, reprocess and delete print what became of each; one that is refused does not stop the others."""
    server.script(Held(), Ready(), Held())
    for name in ("0.png", "1.png"):
        cutline(server, "submit", str(art / name))
    held, ready = (design.id for design in server.designs)

    shown = cutline(server, "cancel", ready, held, "--output", "ndjson")
    assert shown.exit_code == 2
    refused, cancelled = lines(shown.stdout)
    assert (refused["design_id"], refused["exit_code"]) == (ready, 2)
    assert cancelled["design"]["state"] == "STATE_CANCELLED"

    (again,) = json.loads(cutline(server, "reprocess", ready, "--output", "json").stdout)
    assert again["design"]["generation"] == 2
    assert lines(cutline(server, "delete", held, "--output", "ndjson").stdout) == [{"deleted": {"design_id": held}}]


def test_a_full_service_stops_the_submit(server: FakeServer, art: Path) -> None:
    """Where the tenant's backlog is full, no further file is tried, and the code is 3."""
    server.fail_next(
        "SubmitDesign",
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        reason="TENANT_BACKLOG_FULL",
        retry_after_s=0.0,
        times=100,
    )
    shown = cutline(server, "submit", str(art), "--window", "1", "--output", "json")
    assert shown.exit_code == 3
    assert sum("not submitted" in one["error"] for one in json.loads(shown.stdout)) == 5

"""The command line against the real status service."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass

from tests.integration.status.conftest import Stand
from tests.support.polling import eventually


@dataclass(frozen=True)
class Shown:
    """What a command left."""

    code: int
    out: str
    err: str


async def cutline(stand: Stand, tenant: str, *arguments: str) -> Shown:
    """Runs the command in a process of its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CUTLINE_")}
    env |= {"CUTLINE_TARGET": stand.target, "CUTLINE_API_KEY": stand.keys[tenant]}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cutline.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return Shown(process.returncode or 0, out.decode(), err.decode())


async def test_watch_follows_a_design_to_its_end(stand: Stand, tenant: str) -> None:
    """Each stand is a plain line where there is no terminal, and READY ends with 0."""
    design_id = await stand.add_design(tenant)
    running = asyncio.create_task(cutline(stand, tenant, "watch", str(design_id)))
    assert await eventually(lambda: bool(stand.hub.topics.designs))
    assert await eventually(lambda: bool(stand.database.design_reads))
    await stand.ring(tenant, design_id, await stand.start_imaging(design_id))
    assert await eventually(lambda: len(stand.database.design_reads) > 1)
    await stand.ring(tenant, design_id, await stand.finish(design_id), "READY")
    shown = await running
    assert shown.code == 0, shown.err
    assert shown.err.splitlines()[0] == f"{design_id}  QUEUED"
    assert shown.err.splitlines()[-1] == f"{design_id}  READY"
    assert "\x1b" not in shown.err


async def test_a_design_that_failed_ends_a_watch_with_1(stand: Stand, tenant: str) -> None:
    """The reason stands in the error line."""
    design_id = await stand.add_design(tenant)
    await stand.connection.execute(
        "UPDATE designs SET state = 'FAILED', failure_reason = 'NO_SUBJECT', failure_message = 'Nothing.'"
        " WHERE design_id = $1",
        design_id,
    )
    shown = await cutline(stand, tenant, "watch", str(design_id))
    assert (shown.code, "NO_SUBJECT" in shown.err) == (1, True)


async def test_a_watch_that_takes_too_long_ends_with_4(stand: Stand, tenant: str) -> None:
    """--timeout bounds the wait."""
    design_id = await stand.add_design(tenant)
    shown = await cutline(stand, tenant, "watch", str(design_id), "--timeout", "0.2")
    assert (shown.code, "did not end within 0.2 s" in shown.err) == (4, True)


async def test_get_and_list_print_json_for_programs(stand: Stand, tenant: str) -> None:
    """JSON has the contract's field names and is all that standard output holds."""
    design_id = await stand.add_design(tenant, title="[bold]Füchse[/bold]", reference="o-1")
    await stand.add_design(tenant, title="Bear")
    await stand.start_imaging(design_id)
    await stand.finish(design_id)
    shown = await cutline(stand, tenant, "get", str(design_id), "--output", "json", "--timeline")
    design = json.loads(shown.out)
    assert (design["state"], design["geometry"]["cut_width_mm"]) == ("STATE_READY", 60.0)
    assert [entry["event"] for entry in design["timeline"]] == ["submitted", "ready"]
    shown = await cutline(stand, tenant, "list", "--output", "json", "--reference", "o-1", "--state", "ready")
    assert [design["title"] for design in json.loads(shown.out)] == ["[bold]Füchse[/bold]"]


async def test_get_and_list_print_tables_for_people(stand: Stand, tenant: str) -> None:
    """Titles are printed as they are, markup included, and every finding with its mend."""
    design_id = await stand.add_design(tenant, title="[bold]Fox[/bold]")
    await stand.start_imaging(design_id)
    await stand.finish(design_id)
    shown = await cutline(stand, tenant, "list", "--limit", "1")
    for part in (str(design_id), "[bold]Fox[/bold]", "READY"):
        assert part in shown.out
    shown = await cutline(stand, tenant, "get", str(design_id))
    for part in ("60.00 x 40.00 mm", "RESOLUTION", "Enlarge.", "PRINT_PDF", "mockup laptop"):
        assert part in shown.out


async def test_an_unknown_design_is_one_line_and_exit_code_2(stand: Stand, tenant: str) -> None:
    """The reason is in the line."""
    shown = await cutline(stand, tenant, "get", "nonsense")
    assert (shown.code, shown.err.count("\n"), "DESIGN_NOT_FOUND" in shown.err) == (2, 1, True)


async def test_a_wrong_key_is_exit_code_2(stand: Stand) -> None:
    """UNAUTHENTICATED is the caller's to mend."""
    stand.keys["nobody"] = "ck_0000_nonsense"
    shown = await cutline(stand, "nobody", "list")
    assert (shown.code, "UNAUTHENTICATED" in shown.err) == (2, True)

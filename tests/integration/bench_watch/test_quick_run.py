"""The bench of watching runs: a little of everything, on servers of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from bench.delivery.floor import REPOSITORY
from bench.watch.__main__ import MEASURES


@pytest.mark.timeout(600)
async def test_a_quick_run_measures_everything(tmp_path: Path) -> None:
    """Every measurement gives figures on the real servers, no stream is lost and no watcher is left untold."""
    results = tmp_path / "watch.json"

    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.watch", "--quick", "--results", results),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await running.communicate()

    assert running.returncode == 0, said.decode()
    measures = json.loads(results.read_text())["measures"]
    assert [*measures] == [*MEASURES]
    assert all(measure["verdicts"] for measure in measures.values())
    counts = {each["name"]: each["value"] for measure in measures.values() for each in measure["verdicts"]}
    lost = ("streams lost while held", "watches of the churn that were not told", "other streams that ended")
    assert [counts[name] for name in lost] == [0, 0, 0]

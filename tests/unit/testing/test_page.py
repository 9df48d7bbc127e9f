"""The page about testing holds what it shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.doc_pages import ROOT, blocks_of, named_files


def test_the_files_of_the_page_are_tests_that_pass(tmp_path: Path) -> None:
    """Every block of docs/testing-your-code.md is a file, and pytest passes in a folder with nothing but those."""
    blocks = blocks_of(ROOT / "docs" / "testing-your-code.md", "python")
    files = named_files(blocks)
    assert len(files) == len(blocks)
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    run = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{sum(text.count('def test_') for text in files.values())} passed" in run.stdout

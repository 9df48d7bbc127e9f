"""The page about the SDK is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cutline.testing import FakeServer, Held, Ready

PAGE = Path(__file__).parents[3] / "docs" / "sdk.md"
PNG = b"\x89PNG\r\n\x1a\nnot quite a picture"


def test_every_block_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The blocks of docs/sdk.md, one after the other as a reader would type them, do what the page says."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 8
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fox.png").write_bytes(PNG)
    session: dict[str, object] = {"__name__": "page"}
    with FakeServer() as server:
        server.script(Ready(), Ready(), Held())  # the third is watched while it is made
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        for number, block in enumerate(blocks, 1):
            exec(compile(block, f"block {number} of {PAGE.name}", "exec"), session)  # noqa: S102  (the page is ours)
        exec("client.close()", session)  # noqa: S102  (the page leaves it to its reader)

    printed = capsys.readouterr().out
    assert "INVALID_ARGUMENT: spec.width_mm: 2 is not 5 to 1000 mm" in printed
    assert "a.jwt.token" not in printed
    assert (tmp_path / "out" / "order-7" / "print.pdf").stat().st_size

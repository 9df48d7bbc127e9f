"""`up` and `down`: servers, schema, streams and service processes in one command."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import asyncpg
import httpx
import nats
import pytest

from cutline.embedded import service
from cutline.embedded.instance import in_use
from cutline.embedded.stack import SERVICES, EmbeddedStack

# A service as small as can be: ready at once, answers with its environment.
_SERVICE = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        told = {k: v for k, v in os.environ.items() if k[:8] in ("CUTLINE_", "NO_PROXY")}
        self.wfile.write(json.dumps(told).encode())
host, _, port = os.environ["CUTLINE_HTTP_LISTEN"].partition(":")
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""

# It ends with its standard input, so that nothing runs on when the tests are killed.
_COMMAND = """
import os, sys, threading
from pathlib import Path
from cutline.embedded import command, service
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
service.CHECKOUT = Path(sys.argv.pop(1))
sys.exit(command.main())
"""

Command = Callable[..., Coroutine[None, None, asyncio.subprocess.Process]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with four services that do nothing."""
    for name in SERVICES:
        folder = tmp_path / "checkout" / "services" / name
        folder.mkdir(parents=True)
        (folder / "__main__.py").write_text(_SERVICE, encoding="utf-8")
    return tmp_path / "checkout"


@pytest.fixture
async def command(checkout: Path) -> AsyncIterator[Command]:
    """Starts `python -m cutline.embedded ARGUMENT...` with those services."""
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _COMMAND, str(checkout), *arguments),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _said(process: asyncio.subprocess.Process, pattern: str) -> re.Match[str]:
    """Read on until a line matches."""
    assert process.stderr is not None
    lines: list[str] = []
    async for line in process.stderr:
        lines.append(line.decode())
        if match := re.search(pattern, lines[-1]):
            return match
    pytest.fail(f"nothing matched {pattern!r} in:\n{''.join(lines)}")


async def test_services_find_prepared_servers(tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services get addresses of servers that hold the schema and the streams, and settings given go before others."""
    monkeypatch.setattr(service, "CHECKOUT", checkout)
    monkeypatch.setenv("CUTLINE_LOG_LEVEL", "error")
    settings = {"CUTLINE_LOG_LEVEL": "debug"}
    async with EmbeddedStack(tmp_path / "data", services=("ingest", "imaging"), settings=settings) as stack:
        async with httpx.AsyncClient() as client:
            seen = (await client.get(f"{stack.services['ingest'].http_url}/readyz")).json()
            worker = (await client.get(f"{stack.services['imaging'].http_url}/readyz")).json()
        assert seen["CUTLINE_GRPC_LISTEN"] == stack.ingest_target
        assert seen["CUTLINE_GRPC_REFLECTION"] == "on"
        assert seen["CUTLINE_DEV_API_KEY"] == stack.api_key
        assert seen["CUTLINE_LOG_LEVEL"] == "debug"
        assert "CUTLINE_GRPC_LISTEN" not in worker
        assert "127.0.0.1" in seen["NO_PROXY"].split(",")
        connection = await asyncpg.connect(seen["CUTLINE_POSTGRES_DSN"])
        assert await connection.fetchval("SELECT count(*) FROM designs") == 0
        await connection.close()
        broker = await nats.connect(seen["CUTLINE_NATS_URL"])
        assert {stream.config.name for stream in await broker.jetstream().streams_info()} >= {"JOBS", "EVENTS"}
        await broker.close()
    assert not in_use(tmp_path / "data")


async def test_two_stacks_side_by_side_and_down(tmp_path: Path, command: Command) -> None:
    """A second `up` takes the next folder and other ports, and `down` ends both with nothing left running."""
    data = str(tmp_path / "data")
    stacks = [await command("--data-dir", data, "up"), await command("--data-dir", data, "up")]
    folders = {(await _said(stack, r"data and logs are in (\S+)"))[1] for stack in stacks}
    assert folders == {f"{data}/1", f"{data}/2"}
    for stack in stacks:
        await _said(stack, r"client\.env")
    addresses = [(Path(folder) / "client.env").read_text(encoding="utf-8") for folder in folders]
    assert len(set(addresses)) == 2
    assert await (await command("--data-dir", data, "down")).wait() == 0
    assert [await stack.wait() for stack in stacks] == [0, 0]
    assert not any(in_use(Path(folder)) for folder in folders)


async def test_a_secure_up_keeps_to_itself(tmp_path: Path, command: Command) -> None:
    """Its data has a folder of its own, and clients are told whom to trust and where operators call."""
    data = tmp_path / "data"
    stack = await command("--data-dir", str(data), "up", "--secure")
    await _said(stack, r"client\.env")
    told = dict(line.split("=", 1) for line in (data / "secure-1" / "client.env").read_text("utf-8").splitlines())

    assert [folder.name for folder in data.iterdir()] == ["secure-1"]
    assert len({told[f"CUTLINE_{kind}_TARGET"] for kind in ("INGEST", "ADMIN", "STATUS")}) == 3
    assert (data / "secure-1" / "tls" / "ca.pem").samefile(told["CUTLINE_CA_FILE"])
    assert await (await command("--data-dir", str(data), "down")).wait() == 0
    assert await stack.wait() == 0
    assert not in_use(data / "secure-1")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_a_signal_while_starting_stops_cleanly(tmp_path: Path, command: Command, number: signal.Signals) -> None:
    """A signal in the middle of the start ends `up` with nothing left running."""
    stack = await command("--data-dir", str(tmp_path / "data"), "up")
    await _said(stack, "starting nats-server")
    stack.send_signal(number)
    assert await stack.wait() == 0
    assert not in_use(tmp_path / "data" / "1")


async def test_a_service_that_cannot_start_is_explained(tmp_path: Path, checkout: Path, command: Command) -> None:
    """When a service fails at its start, `up` ends with 1 and shows the service's own words."""
    (checkout / "services" / "mockup" / "__main__.py").write_text("raise SystemExit('no scenes')", encoding="utf-8")
    stack = await command("--data-dir", str(tmp_path / "data"), "up")
    await _said(stack, "mockup ended with exit code 1 while starting")
    await _said(stack, "no scenes")
    assert await stack.wait() == 1
    assert not in_use(tmp_path / "data" / "1")

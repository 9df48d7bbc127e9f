"""What every supervised program has in common: start until ready, stop until gone."""

from __future__ import annotations

import asyncio
import ssl
import time
from abc import ABC, abstractmethod
from pathlib import Path

import httpx

from cutline.embedded.process import LeashedProcess, StartError

_POLL_S = 0.02
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # probes are plain HTTP: loading the system's takes 20 ms


def plain_http_client() -> httpx.AsyncClient:
    """A client for probes on the loopback address."""
    return probe_client(_NO_AUTHORITIES)


def probe_client(trusted: ssl.SSLContext) -> httpx.AsyncClient:
    """A client for probes on the loopback address that speaks TLS, too, with whom an authority vouches for."""
    return httpx.AsyncClient(trust_env=False, timeout=5.0, verify=trusted)


class Server(ABC):
    """A program with a readiness probe.

    Attributes:
        name: What the log file and messages call it.
        log_path: Where its output goes.
        ready_within_s: How long a start may take.
    """

    ready_within_s = 60.0

    def __init__(self, name: str, log_path: Path) -> None:
        self.name = name
        self.log_path = log_path
        self._process: LeashedProcess | None = None

    @abstractmethod
    async def launch(self) -> LeashedProcess:
        """Prepare the data if need be and start the program."""

    @abstractmethod
    async def ready(self) -> bool:
        """Ask the program whether it serves; False or an OSError mean not yet."""

    @property
    def program_id(self) -> int:
        """The process id of the running program."""
        if self._process is None:
            message = f"{self.name} is not started"
            raise ProcessLookupError(message)
        return self._process.program_id

    async def start(self) -> None:
        """Start and wait until it serves.

        Raises:
            StartError: It ended or did not become ready in time; the program is gone by then.
        """
        process = self._process = await self.launch()
        try:
            await self._until_ready(process)
        except BaseException:
            await process.stop()
            raise

    async def stop(self) -> None:
        """Stop and wait until it is gone; stopping what never started is fine."""
        if self._process is not None:
            await self._process.stop()

    async def wait(self) -> int:
        """Wait for the program's own end; its exit code."""
        if self._process is None:
            message = f"{self.name} is not started"
            raise ProcessLookupError(message)
        return await self._process.wait()

    def log_tail(self) -> str:
        """The end of its log."""
        return self._process.log_tail() if self._process is not None else ""

    async def _until_ready(self, process: LeashedProcess) -> None:
        deadline = time.monotonic() + self.ready_within_s
        while process.running:
            if await self._probe():
                return
            if time.monotonic() > deadline:
                message = f"{self.name} was not ready within {self.ready_within_s:g} s:\n{process.log_tail()}"
                raise StartError(message)
            await asyncio.sleep(_POLL_S)
        message = f"{self.name} ended with exit code {await process.wait()} while starting:\n{process.log_tail()}"
        raise StartError(message)

    async def _probe(self) -> bool:
        try:
            return await self.ready()
        except OSError:
            return False

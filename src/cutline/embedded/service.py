"""One of Cutline's own services as a process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from cutline.embedded.ports import LOOPBACK
from cutline.embedded.process import LeashedProcess, Order, StartError
from cutline.embedded.server import Server, plain_http_client

CHECKOUT = Path(__file__).resolve().parents[3]


class Service(Server):
    """`python -m services.<name>` with its settings in the environment, exactly as its image runs it."""

    # A worker's slots paint or load for seconds of a processor before they are ready, and all services start at once.
    ready_within_s = 180.0

    def __init__(
        self,
        name: str,
        *,
        http_port: int,
        environment: Mapping[str, str],
        log_path: Path,
        order: Order,
        module: str = "",
    ) -> None:
        """A service that is not started yet.

        Args:
            name: What the log file and messages call it.
            http_port: Where it is to answer probes.
            environment: Its settings.
            log_path: Where its output goes.
            order: For its leash.
            module: What `python -m` runs; empty for `services.<name>`.
        """
        super().__init__(name, log_path)
        self._module = module or f"services.{name}"
        self._http_port = http_port
        self._environment = environment
        self._order = order

    @property
    def http_url(self) -> str:
        """Where /livez, /readyz and /metrics answer."""
        return f"http://{LOOPBACK}:{self._http_port}"

    async def launch(self) -> LeashedProcess:
        """Start the process.

        Raises:
            StartError: There is no such service beside the package: services are not in the wheel.
        """
        if not (CHECKOUT / "services").is_dir():
            message = f"there is no services folder in {CHECKOUT}: the services run from a checkout"
            raise StartError(message)
        return await LeashedProcess.start(
            (sys.executable, "-m", self._module),
            log_path=self.log_path,
            env=self._environment,
            cwd=CHECKOUT,
            order=self._order,
        )

    async def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            async with plain_http_client() as client:
                answer = await client.get(f"{self.http_url}/readyz")
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

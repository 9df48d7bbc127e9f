"""The small HTTP endpoint of every process: is it alive, is it ready, what does it measure."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from cutline.runtime.environment import ListenAddress
from cutline.runtime.readiness import Readiness

_EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class HttpServer:
    """Answers /livez, /readyz and /metrics.

    /readyz is 200 only when everything needed answers, else 503; its JSON names what is missing or degraded.
    """

    def __init__(self, listen: ListenAddress, *, readiness: Readiness, exposition: Callable[[], bytes]) -> None:
        self._listen = listen
        self._readiness = readiness
        self._exposition = exposition
        self._runner: web.AppRunner | None = None
        self.port = listen.port

    async def start(self) -> None:
        """Binds and serves; `port` is the real one afterwards."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._listen.host, self._listen.port).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Closes the listener and its connections."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        verdict = await self._readiness.verdict()
        body = {"ready": verdict.ready, "missing": verdict.missing, "degraded": verdict.degraded}
        return web.json_response(body, status=200 if verdict.ready else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._exposition(), headers={"Content-Type": _EXPOSITION_TYPE})

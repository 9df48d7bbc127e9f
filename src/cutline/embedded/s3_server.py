"""SeaweedFS with its S3 gateway, on the loopback address."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cutline.embedded import wheels
from cutline.embedded.certificates import Certificates
from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.embedded.process import LeashedProcess, Order, bare_environment
from cutline.embedded.server import Server, plain_http_client, probe_client

ACCESS_KEY = "cutline"
BUCKET = "cutline"
REGION = "us-east-1"
_LISTENERS = ("s3", "master", "volume", "filer", "admin")  # each has an HTTP and a gRPC port
_PROBE_KEY = ".ready"
_SOCKETS = "run"  # relative to the working directory, because a socket's path may have 107 characters only


class S3Server(Server):
    """`weed mini`: one process with everything S3 needs, its telemetry and its other faces switched off.

    Its filer port is open to every local user without credentials: a server for development and tests only.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ports: PortReservation,
        secret_key: str,
        log_path: Path,
        order: Order,
        allowed_origins: str = f"http://{LOOPBACK}",
        certificates: Certificates | None = None,
    ) -> None:
        """A server that is not started yet.

        Args:
            folder: Where its data is.
            ports: Where its ports come from.
            secret_key: Secret of its one credential.
            log_path: Where its output goes.
            order: For its leash.
            allowed_origins: Web pages from there may use it.
            certificates: What it shows; with them it speaks HTTPS only.
        """
        super().__init__("s3", log_path)
        self._folder = folder
        self._ports = {name: (ports.take(), ports.take()) for name in _LISTENERS}
        self._credentials = Credentials(ACCESS_KEY, secret_key)
        self._order = replace(order, leavings=tuple(self._grpc_sockets()))
        self._allowed_origins = allowed_origins
        self._certificates = certificates
        self._trusted = certificates.context() if certificates else None

    @property
    def endpoint(self) -> str:
        """The address of the S3 API."""
        scheme = "https" if self._certificates else "http"
        return f"{scheme}://{LOOPBACK}:{self._ports['s3'][0]}"

    async def launch(self) -> LeashedProcess:
        """Start; the data folder is made when missing."""
        data = self._folder / "data"
        for folder in (data, self._folder / _SOCKETS):
            folder.mkdir(parents=True, exist_ok=True)
        ports = (
            flag
            for name, (http_port, grpc_port) in self._ports.items()
            for flag in (f"-{name}.port={http_port}", f"-{name}.port.grpc={grpc_port}")
        )
        return await LeashedProcess.start(
            (
                *(wheels.weed(), "-logtostderr", "mini", f"-dir={data}", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}"),
                *ports,
                *("-master.telemetry=false", "-admin.ui=false", "-webdav=false"),
                *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.allowedOrigins={self._allowed_origins}"),
                *(f"-s3.localSocket={_SOCKETS}/s3.sock", f"-filer.localSocket={_SOCKETS}/filer.sock"),
                *self._tls_flags(),
            ),
            log_path=self.log_path,
            env=bare_environment()
            | {
                "AWS_ACCESS_KEY_ID": self._credentials.access_key,
                "AWS_SECRET_ACCESS_KEY": self._credentials.secret_key,
            },
            cwd=self._folder,
            order=self._order,
        )

    def _tls_flags(self) -> tuple[str, ...]:
        """A certificate without a port of its own: HTTPS takes the place of HTTP."""
        if self._certificates is None:
            return ()
        pair = self._certificates.server
        return f"-s3.cert.file={pair.certificate}", f"-s3.key.file={pair.key}"

    def _grpc_sockets(self) -> Iterator[str]:
        """Sockets the server always makes in /tmp and does not always remove."""
        for name, (_, grpc_port) in self._ports.items():
            yield f"/tmp/seaweedfs-{name}-grpc-{grpc_port}.sock"  # noqa: S108  (the server's choice, not ours)

    async def ready(self) -> bool:
        """Whether the bucket is there and takes an object; makes the bucket on the first start."""
        conflict = httpx.codes.CONFLICT  # the bucket exists and is ours
        try:
            async with probe_client(self._trusted) if self._trusted else plain_http_client() as client:
                made = await self._put(client, f"/{BUCKET}", b"")
                if not made.is_success and made.status_code != conflict:
                    return False
                return (await self._put(client, f"/{BUCKET}/{_PROBE_KEY}", b"ready")).is_success
        except httpx.TransportError:
            return False

    async def _put(self, client: httpx.AsyncClient, path: str, body: bytes) -> httpx.Response:
        """A signed PUT, by hand: a whole S3 client takes longer to build than the server to start."""
        request = AWSRequest("PUT", self.endpoint + path, data=body)
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
        S3SigV4Auth(self._credentials, "s3", REGION).add_auth(request)
        return await client.put(self.endpoint + path, content=body, headers=dict(request.headers))

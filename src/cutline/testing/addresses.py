"""Signed addresses of the fake's files: each good for one method on one file for a while."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, quote, urlencode

from cutline.contract.file_names import artifact_file_name, mockup_file_name
from cutline.v1 import design_pb2 as pb
from cutline.v1 import sticker_spec_pb2 as spec_pb

UPLOAD_EXPIRES_S: Final = 300
DOWNLOAD_EXPIRES_S: Final = 3600


@dataclass(frozen=True, slots=True)
class SignedAddress:
    """Where a file can be put or fetched, and until when."""

    url: str
    expire_time: datetime


class Addresses:
    """Signs addresses and knows its own again; `origin` is `http://host:port` once the server listens."""

    def __init__(self) -> None:
        self.origin = ""
        self._secret = secrets.token_bytes(32)

    def sign(
        self, method: str, path: str, *, expires_s: int, headers: Mapping[str, str] | None = None
    ) -> SignedAddress:
        """Signs one method on one path.

        Args:
            method: HTTP method, upper case.
            path: Path, starting with a slash.
            expires_s: How long the address works.
            headers: Headers that the request must carry with exactly these values.
        """
        expire_time = datetime.now(UTC) + timedelta(seconds=expires_s)
        expires = str(int(expire_time.timestamp()))
        names = ",".join(sorted(headers or {}))
        query = {"expires": expires, "headers": names, "signature": self._sign(method, path, expires, headers or {})}
        return SignedAddress(f"{self.origin}{quote(path)}?{urlencode(query)}", expire_time)

    def refusal(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
        """Why a request is none that was signed, in one sentence; empty where it is one.

        Args:
            method: Its method.
            path: Its path, unquoted.
            query: Its query.
            headers: Its headers, in any case.
        """
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        names = [name for name in asked.get("headers", "").split(",") if name]
        given = {name.lower(): value for name, value in headers.items()}
        carried = {name: given.get(name.lower(), "") for name in names}
        expires = asked.get("expires", "")
        signature = self._sign(method, path, expires, carried)
        if not hmac.compare_digest(signature, asked.get("signature", "")):
            return "The request is not the one that was signed: another address, method or header."
        return "The address has expired." if int(expires) < time.time() else ""

    def _sign(self, method: str, path: str, expires: str, headers: Mapping[str, str]) -> str:
        carried = sorted((name.lower(), value) for name, value in headers.items())
        return hmac.new(self._secret, repr((method, path, expires, carried)).encode(), hashlib.sha256).hexdigest()


def with_addresses(design: pb.Design, addresses: Addresses) -> pb.Design:
    """A copy of a design in which every file has its address."""
    signed = pb.Design()
    signed.CopyFrom(design)
    for artifact in signed.artifacts:
        _add_address(artifact, addresses, design.id, artifact_file_name(_kind_name(artifact.kind)))
    for mockup in signed.mockups:
        _add_address(mockup, addresses, design.id, mockup_file_name(mockup.scene, mockup.media_type))
    return signed


def _add_address(file: pb.Artifact | pb.Mockup, addresses: Addresses, design_id: str, name: str) -> None:
    path = f"/files/{design_id}/{file.generation}/{name}"
    address = addresses.sign("GET", path, expires_s=DOWNLOAD_EXPIRES_S)
    file.url = address.url
    file.url_expire_time.FromDatetime(address.expire_time)


def _kind_name(kind: spec_pb.OutputFormat.ValueType) -> str:
    return spec_pb.OutputFormat.Name(kind).removeprefix("OUTPUT_FORMAT_")

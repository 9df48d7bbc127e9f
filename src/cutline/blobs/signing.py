"""Signed S3 addresses (AWS Signature Version 4 in the query string), without a client and without waiting.

Source: "Authenticating Requests: Using Query Parameters", Amazon S3 API reference. A test holds the result equal to
botocore's, which needs a started client and ten times as long because it resolves the endpoint for every address.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

MAX_EXPIRES_S: Final = 7 * 24 * 3600
"""Longest life S3 grants a signed address."""

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """Who signs, and for which store.

    Attributes:
        endpoint: Address of the store as the one who follows the link sees it, `https://host[:port]`.
        access_key: Key id of the credential.
        secret_key: Secret of the credential.
        region: Region of the store.
    """

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str


def signed_url(
    identity: SigningIdentity,
    *,
    method: str,
    bucket: str,
    key: str,
    now: datetime,
    expires_s: int,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> str:
    """An address that allows one method on one object for a while.

    Args:
        identity: Who signs.
        method: HTTP method, upper case.
        bucket: Bucket, addressed in the path.
        key: Key of the object.
        now: Moment of signing, UTC.
        expires_s: Seconds until the store refuses it, 1 to MAX_EXPIRES_S.
        headers: Headers the request must carry with exactly these values; without `host`.
        query: Further query parameters, signed too.
    """
    scheme, host, prefix = _address(identity.endpoint)
    path = f"{prefix}/{quote(bucket, safe='')}/{quote(key, safe='/~')}"
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{identity.region}/s3/aws4_request"
    signed = {name.lower(): " ".join(value.split()) for name, value in (headers or {}).items()}
    signed["host"] = host
    names = sorted(signed)
    parameters = {
        **(query or {}),
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{identity.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": ";".join(names),
    }
    encoded = "&".join(
        f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(parameters.items())
    )
    canonical = "\n".join(
        (
            method,
            path,
            encoded,
            *(f"{name}:{signed[name]}" for name in names),
            "",
            parameters["X-Amz-SignedHeaders"],
            "UNSIGNED-PAYLOAD",
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    key_of_day = _key_of_day(identity.secret_key, stamp[:8], identity.region)
    signature = hmac.new(key_of_day, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{scheme}://{host}{path}?{encoded}&X-Amz-Signature={signature}"


def content_disposition(file_name: str) -> str:
    """The header that makes a browser save a file (RFC 6266): a plain name for old clients, the real one for others."""
    plain = "".join(character if _plain(character) else "_" for character in file_name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def _plain(character: str) -> bool:
    return character.isascii() and character.isprintable() and character not in '"\\/'


@lru_cache(maxsize=8)
def _address(endpoint: str) -> tuple[str, str, str]:
    """Scheme, host as a client sends it (no default port) and path prefix of an endpoint."""
    parts = urlsplit(endpoint)
    host = parts.netloc.rpartition("@")[2]
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts.scheme, host.removesuffix(default) if default else host, parts.path.rstrip("/")


@lru_cache(maxsize=8)
def _key_of_day(secret_key: str, day: str, region: str) -> bytes:
    step = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        step = hmac.new(step, part.encode(), hashlib.sha256).digest()
    return step

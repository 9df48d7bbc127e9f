"""Signed addresses are the ones botocore would make."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cutline.blobs.signing import SigningIdentity, signed_url

ACCESS_KEY, SECRET_KEY, REGION = "AKIAEXAMPLE/+", "secret/+key", "eu-central-1"


NOW = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)


def _query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def _signed_by_botocore(method: str, url: str, *, expires_s: int, headers: dict[str, str]) -> str:
    auth = S3SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION, expires=expires_s)
    request = AWSRequest(method, url, headers=headers)
    auth.add_auth(request)
    return str(request.url)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8333", "https://s3.example.org", "https://s3.example.org:443"])
@pytest.mark.parametrize("key", ["t/uploads/1", "t/a b+c~d/ü&=?.png", "t/%2F"])
@pytest.mark.parametrize(
    ("method", "headers", "query"),
    [
        ("GET", {}, {"response-content-disposition": "attachment; filename=\"a b.png\"; filename*=UTF-8''%C3"}),
        ("PUT", {"content-length": "12", "content-type": "image/svg+xml", "x-amz-checksum-sha256": "a+/="}, {}),
    ],
)
def test_equals_botocore(
    *,
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str,
    key: str,
    method: str,
    headers: dict[str, str],
    query: dict[str, str],
) -> None:
    """Signature and every parameter equal those of botocore for the same moment."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW)
    ours = signed_url(
        SigningIdentity(endpoint, ACCESS_KEY, SECRET_KEY, REGION),
        method=method,
        bucket="cutline",
        key=key,
        now=NOW,
        expires_s=300,
        headers=headers,
        query=query,
    )
    parts = urlsplit(ours)
    unsigned = "&".join(pair for pair in parts.query.split("&") if not pair.startswith("X-Amz-"))
    url = f"{parts.scheme}://{parts.netloc}{parts.path}" + (f"?{unsigned}" if unsigned else "")

    assert _query(_signed_by_botocore(method, url, expires_s=300, headers=headers)) == _query(ours)

"""The key by which equal work is known (delivery rule 3)."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from cutline.domain.sticker_spec import ResolvedSpec


def submit_key(
    *,
    tenant: str,
    artwork_sha256: str,
    spec: ResolvedSpec,
    reference: str,
    not_before_time: datetime | None,
) -> bytes:
    """SHA-256 (32 bytes) over everything that makes a submit the same work as another."""
    return _digest(["submit", tenant, artwork_sha256, _canonical(spec), reference, _time(not_before_time)])


def reprocess_key(
    *,
    tenant: str,
    design_id: UUID,
    artwork_sha256: str,
    spec: ResolvedSpec,
    reference: str,
    not_before_time: datetime | None,
) -> bytes:
    """SHA-256 (32 bytes) over everything that makes a reprocess the same work as another."""
    return _digest(
        [
            "reprocess",
            tenant,
            str(design_id),
            artwork_sha256,
            _canonical(spec),
            reference,
            _time(not_before_time),
        ]
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


@lru_cache(maxsize=1024)
def _canonical(spec: ResolvedSpec) -> str:
    """The spec as text; callers send few specs many times, and this is most of a key's cost."""
    return json.dumps(spec.canonical(), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(parts: list[object]) -> bytes:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).digest()

"""Artwork as the fake keeps it: places that were promised, and the bytes that were put there."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cutline.v1 import design_pb2 as pb


@dataclass(slots=True)
class StoredUpload:
    """An upload; `data` is None until the bytes were put, `sha256` has 32 bytes."""

    upload_id: UUID
    tenant: str
    filename: str
    media_type: str
    size_bytes: int
    sha256: bytes
    expire_time: datetime
    data: bytes | None = None

    @property
    def path(self) -> str:
        """Where the bytes are put."""
        return f"/uploads/{self.upload_id}"

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that the PUT must carry exactly."""
        return {
            "Content-Length": str(self.size_bytes),
            "Content-Type": self.media_type,
            "x-amz-checksum-sha256": base64.b64encode(self.sha256).decode(),
        }

    @property
    def artwork(self) -> pb.Artwork:
        """The upload as a design tells it."""
        return pb.Artwork(
            upload_id=str(self.upload_id),
            filename=self.filename,
            media_type=self.media_type,
            size_bytes=self.size_bytes,
            sha256=self.sha256.hex(),
        )

    def take(self, data: bytes) -> bool:
        """Keeps the bytes if they are those that were promised."""
        if len(data) != self.size_bytes or hashlib.sha256(data).digest() != self.sha256:
            return False
        self.data = data
        return True

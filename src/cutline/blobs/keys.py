"""Where each blob lies. The tenant stands first, so that one prefix is one tenant's data."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


def upload_key(tenant: str, upload_id: UUID | str) -> str:
    """Key of artwork as a client uploads it."""
    return f"{tenant}/uploads/{upload_id}"


def artifact_key(*, tenant: str, design_id: UUID | str, generation: int, kind: str, sha256: str, extension: str) -> str:
    """Key of a file made of a design: the same bytes have the same key, other bytes never overwrite it.

    Args:
        tenant: Owner.
        design_id: Design it belongs to.
        generation: Generation that made it.
        kind: What it is; written in lower case with hyphens.
        sha256: Digest of its bytes, 64 hexadecimal digits.
        extension: File name extension without a dot.
    """
    name = kind.lower().replace("_", "-")
    return f"{design_prefix(tenant, design_id)}{generation}/{name}-{sha256}.{extension}"


def design_prefix(tenant: str, design_id: UUID | str) -> str:
    """What every artifact key of a design begins with."""
    return f"{tenant}/{design_id}/"


@dataclass(frozen=True, slots=True)
class UploadKey:
    """The key of an upload, read back; `text` is the key itself."""

    text: str
    upload_id: UUID


@dataclass(frozen=True, slots=True)
class ArtifactKey:
    """The key of a file made of a design, read back; `text` is the key itself."""

    text: str
    design_id: UUID
    generation: int


def read_key(text: str) -> UploadKey | ArtifactKey | None:
    """What a key belongs to; None for one that nothing here has made."""
    try:
        match text.split("/"):
            case [_, "uploads", upload_id]:
                return UploadKey(text, UUID(upload_id))
            case [_, design_id, generation, _] if generation.isdecimal():
                return ArtifactKey(text, UUID(design_id), int(generation))
    except ValueError:
        return None
    return None

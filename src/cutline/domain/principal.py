"""Who is calling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

TENANT_PATTERN = re.compile(r"[a-z0-9-]{1,63}")


class Scope(StrEnum):
    """What a credential allows."""

    DESIGNS_READ = "designs:read"
    DESIGNS_WRITE = "designs:write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that has proved who it is.

    Attributes:
        tenant: Whose data it sees, `[a-z0-9-]{1,63}`: it stands in subjects and blob keys.
        subject: The credential's own id, for logs.
        scopes: What it may do.
    """

    tenant: str
    subject: str
    scopes: frozenset[Scope]

"""Which scope a caller needs, by service; health and reflection are open and never pass through here."""

from __future__ import annotations

from typing import Final

from cutline.domain.errors import PermissionDeniedError, Reason
from cutline.domain.principal import Principal, Scope

SERVICE_SCOPES: Final[dict[str, Scope]] = {
    "cutline.v1.IngestService": Scope.DESIGNS_WRITE,
    "cutline.v1.StatusService": Scope.DESIGNS_READ,
    "cutline.v1.QueueService": Scope.ADMIN,
}


def demand(scope: Scope, principal: Principal) -> None:
    """Lets a principal with the scope pass.

    Raises:
        PermissionDeniedError: It lacks the scope.
    """
    if scope not in principal.scopes:
        raise PermissionDeniedError(
            Reason.SCOPE_MISSING, f"The credential lacks the scope {scope}.", metadata={"scope": scope.value}
        )

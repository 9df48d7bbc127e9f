"""From the metadata of a call to a principal."""

from __future__ import annotations

from typing import Protocol

from cutline.domain.errors import Reason, UnauthenticatedError
from cutline.domain.principal import Principal


class Authenticator(Protocol):
    """Verifies one kind of credential."""

    async def authenticate(self, credential: str) -> Principal:
        """Tells whose credential it is.

        Raises:
            UnauthenticatedError: It is nobody's, or no longer valid.
            UnavailableError: It cannot be verified now.
        """


def credential_of(authorization: str, api_key: str) -> str:
    """The credential in the metadata `authorization: Bearer ...` or `x-api-key`.

    Raises:
        UnauthenticatedError: There is none.
    """
    scheme, _, value = authorization.partition(" ")
    if value and scheme.lower() == "bearer":
        return value.strip()
    if api_key:
        return api_key
    raise UnauthenticatedError(
        Reason.UNAUTHENTICATED, "Send an API key as 'authorization: Bearer <key>' or 'x-api-key: <key>'."
    )

"""What can go wrong with a blob, in the words of the domain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from cutline.domain.errors import NotFoundError, Reason, UnavailableError
from cutline.runtime.logging import get_logger

log = get_logger(__name__)

_ABSENT: Final = frozenset({"NoSuchKey", "NotFound", "404"})


class BlobMissingError(NotFoundError):
    """There is no object of that key."""


@contextmanager
def translated(operation: str, key: str = "", *, told: bool = True) -> Iterator[None]:
    """Turns what the S3 client raises into errors of the domain.

    Args:
        operation: Name of the operation, for the log.
        key: Key of the object, for the log.
        told: Whether a refusal is logged; who asks all the time tells of it in their own way.

    Raises:
        BlobMissingError: The object does not exist.
        UnavailableError: The store did not do it: unreachable, too slow, full, or it refuses the credential.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _ABSENT:
            raise BlobMissingError(Reason.ARTWORK_MISSING, "The stored file does not exist.") from error
        if told:
            log.warning("blobs.refused", operation=operation, key=key, code=code)
        raise unavailable() from error
    except (BotoCoreError, OSError, TimeoutError) as error:
        if told:
            log.warning("blobs.unreachable", operation=operation, key=key, error=type(error).__name__)
        raise unavailable() from error


def unavailable() -> UnavailableError:
    """The error a caller sees while the store does not answer."""
    return UnavailableError(Reason.BLOBS_UNAVAILABLE, "The file store does not answer; try again.", retry_after_s=1.0)

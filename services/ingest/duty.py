"""One pass of a loop, after which the loop goes on whatever happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import nats.errors

from cutline.domain.errors import UnavailableError
from cutline.runtime.logging import get_logger

log = get_logger(__name__)

_T = TypeVar("_T")


async def attempt(name: str, work: Callable[[], Awaitable[_T]]) -> _T | None:
    """Does one pass of a duty; None where it failed, which is told and left to the next pass.

    A failure ends neither the loop nor the process: what one row or message causes must not keep callers from being
    served, and what the database or the broker causes passes.
    """
    try:
        return await work()
    except UnavailableError as error:
        log.warning("duty.waits", duty=name, reason=error.reason)
    except (nats.errors.Error, OSError) as error:
        log.warning("duty.broker_silent", duty=name, error=type(error).__name__)
    except Exception:
        log.exception("duty.failed", duty=name)
    return None

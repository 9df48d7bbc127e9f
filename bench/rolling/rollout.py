"""Rolls every deployment out as Kubernetes does with maxSurge 1 and maxUnavailable 0.

The new process starts beside the old one, on an address that clients know; once it is ready the old one gets SIGTERM
and its grace. So there is always one more process than replicas, or exactly as many.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from cutline.embedded.deployments import Deployment
from cutline.embedded.service import Service
from cutline.embedded.stack import EmbeddedStack


@dataclass(frozen=True, slots=True)
class Restart:
    """One process that took the place of another.

    Attributes:
        deployment: Of which kind.
        started_s: From its start until it was ready.
        stopped_s: From SIGTERM until the old one was gone.
    """

    deployment: str
    started_s: float
    stopped_s: float


async def roll_out(stack: EmbeddedStack) -> AsyncIterator[Restart]:
    """Restarts every process of every deployment, one after the other.

    Raises:
        StartError: A new process did not become ready.
    """
    for kind in stack.plan.deployments:
        for old in stack.running(kind):
            yield await _replace(stack, kind, old)


async def _replace(stack: EmbeddedStack, kind: Deployment, old: Service) -> Restart:
    start_s = time.monotonic()
    await stack.start_spare(kind)
    ready_s = time.monotonic()
    await stack.retire(old)
    return Restart(kind.name, ready_s - start_s, time.monotonic() - ready_s)

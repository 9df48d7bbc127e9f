"""Clients that submit orders and remember which design each became."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from bench.faults.farm import Farm
from bench.faults.orders import Order
from cutline.client import DeadlineExceededError, UnavailableError
from cutline.v1 import job_pb2


@dataclass
class Load:
    """Orders on their way through a farm.

    Attributes:
        designs: What was accepted: each design's order.
    """

    farm: Farm
    designs: dict[UUID, Order] = field(default_factory=dict)

    async def submit(self, order: Order, *, lane: job_pb2.Lane.ValueType = job_pb2.LANE_STANDARD) -> UUID:
        """Submits one order, however long it takes until a service is there."""
        job = job_pb2.JobOptions(lane=lane)
        while True:
            try:
                design = await self.farm.client.designs.submit(
                    order.encode(), filename=f"order-{order.number}.png", media_type="image/png", width_mm=60, job=job
                )
            except (UnavailableError, DeadlineExceededError):
                continue
            design_id = UUID(design.id)
            self.designs[design_id] = order
            return design_id

    async def steadily(self, orders: Iterable[Order], *, per_s: float) -> None:
        """Submits each order at its time, whatever became of the one before."""
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        async with asyncio.TaskGroup() as submits:
            for number, order in enumerate(orders):
                await asyncio.sleep(start_s + number / per_s - loop.time())
                submits.create_task(self.submit(order))

    async def ended(self, designs: Collection[UUID], *, within_s: float) -> None:
        """Waits until these designs are terminal.

        Raises:
            TimeoutError: Some are not.
        """
        async with asyncio.timeout(within_s), asyncio.TaskGroup() as waits:
            for design_id in designs:
                waits.create_task(self.farm.client.designs.wait(str(design_id)))

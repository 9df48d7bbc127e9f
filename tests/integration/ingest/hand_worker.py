"""A worker of the imaging stage that does what its test says, one message at a time."""

from __future__ import annotations

from collections import deque
from uuid import UUID

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from cutline.domain.states import Lane, Stage
from cutline.messaging.tickets import design_ring, read_ticket
from cutline.store.attempts import Attempts, Claim
from tests.integration.ingest.parts import Bench


class HandWorker:
    """Takes up to `slots` messages of one lane and claims their jobs; rings as a worker does."""

    def __init__(self, bench: Bench, *, slots: int, lane: Lane = Lane.STANDARD, lease_s: float = 30.0) -> None:
        self._bench = bench
        self._slots = slots
        self._lane = lane
        self._attempts = Attempts(bench.database, bench.topology, worker="hand", lease_s=lease_s)
        self._subscription: JetStreamContext.PullSubscription | None = None
        self.taken: deque[tuple[Msg, Claim]] = deque()

    @property
    def attempts(self) -> Attempts:
        """Ends what was claimed."""
        return self._attempts

    async def take(self, number: int | None = None, *, timeout_s: float = 10.0) -> list[Claim]:
        """Takes as many messages as slots are free, at least one, and claims their jobs."""
        if self._subscription is None:
            topology = self._bench.topology
            name = topology.consumer_name(Stage.IMAGING, self._lane)
            self._subscription = await self._bench.broker.jetstream.pull_subscribe_bind(
                name, stream=topology.jobs_stream
            )
        wanted = self._slots - len(self.taken) if number is None else number
        claims = []
        for message in await self._subscription.fetch(wanted, timeout=timeout_s):
            claim = await self.claim(message)
            self.taken.append((message, claim))
            claims.append(claim)
        return claims

    async def claim(self, message: Msg) -> Claim:
        """Claims the job of a message."""
        ticket = read_ticket(message.data)
        assert ticket is not None
        claim = await self._attempts.claim(ticket, Stage.IMAGING)
        assert isinstance(claim, Claim)
        ring = design_ring(
            design_id=claim.design_id, tenant=claim.tenant, revision=claim.revision, state=claim.design_state
        )
        await self._bench.publisher.ring(self._bench.topology.design_subject(claim.tenant, claim.design_id), ring)
        return claim

    async def finish(self) -> UUID:
        """Ends the oldest taken job well and lets its message go; the design's id."""
        message, claim = self.taken.popleft()
        await self._bench.database.execute(
            "UPDATE jobs SET state = 'SUCCEEDED', finish_time = now(), lease_time = NULL WHERE job_id = $1",
            claim.job_id,
        )
        await message.ack_sync(timeout=5)
        return claim.design_id

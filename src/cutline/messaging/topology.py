"""Streams, consumers and subjects, declared once.

A namespace goes before every stream name and subject, so that several stacks can share one broker; it is empty by
default. Consumers are named `<stage>-<lane>`, one for each, so that a lane can be weighed and paused by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from cutline.domain.states import Lane, Stage

HEADER_MSG_ID: Final = "Nats-Msg-Id"
HEADER_TRACEPARENT: Final = "traceparent"

SMALL_BYTES: Final = 16 * 1024
"""Tickets and doorbells hold ids and two headers, some hundred bytes: more is not ours."""
COPY_BYTES: Final = 64 * 1024
"""A dead letter's copy holds a message that may be as large as a ticket, and why it died."""

_ADVISORY: Final = "$JS.EVENT.ADVISORY.CONSUMER"


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream, in the words of the JetStream API; times in seconds."""

    name: str
    subjects: tuple[str, ...]
    retention: str
    discard: str
    max_age_s: float = 0
    max_msgs: int = -1
    max_msg_bytes: int = -1
    duplicate_window_s: float = 120
    description: str = ""


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """One durable pull consumer with explicit acks; times in seconds."""

    name: str
    stream: str
    filter_subject: str
    ack_wait_s: float
    max_deliver: int
    max_ack_pending: int


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything the broker holds.

    Attributes:
        namespace: Goes before every stream name and, with a dot, before every subject; `[a-z0-9]*`.
        replicas: Copies of every stream: 1 on one node, 3 in a cluster.
        ack_wait_s: Silence after which a message is handed to another worker.
        max_deliver: Deliveries after which the broker gives a message up. A last resort: attempts are counted in the
            database, and this ends only what no worker can even claim.
        duplicate_window_s: How long the stream of tickets knows a message by its id.
        events_keep_s: How long doorbells are kept; each design is a subject of its own, in the broker's memory.
        max_ack_pending: Bound of running work per stage and lane; see `ack_pending_needed`.
        global_cap: Unfinished designs admitted at most; JOBS holds over twice as many messages.
    """

    namespace: str = ""
    replicas: int = 1
    ack_wait_s: float = 30.0
    max_deliver: int = 100
    duplicate_window_s: float = 600.0
    events_keep_s: float = 7 * 86_400.0
    max_ack_pending: dict[Stage, int] = field(default_factory=lambda: {Stage.IMAGING: 256, Stage.MOCKUP: 256})
    global_cap: int = 200_000

    @property
    def jobs_stream(self) -> str:
        """Name of the stream of job tickets."""
        return self._name("JOBS")

    @property
    def events_stream(self) -> str:
        """Name of the stream of terminal rings."""
        return self._name("EVENTS")

    @property
    def dead_stream(self) -> str:
        """Name of the stream of dead-letter copies."""
        return self._name("DEAD")

    @property
    def advisories_stream(self) -> str:
        """Name of the stream that keeps the broker's own warnings."""
        return self._name("ADVISORIES")

    def job_subject(self, stage: Stage, lane: Lane, tenant: str) -> str:
        """Where a ticket is published."""
        return self._subject(f"jobs.{stage.value}.{lane.value}.{tenant}")

    def design_subject(self, tenant: str, design_id: UUID) -> str:
        """Where a design's doorbell rings."""
        return self._subject(f"events.design.{tenant}.{design_id}")

    @property
    def all_designs_subject(self) -> str:
        """Matches every design's doorbell; its last two tokens are tenant and design."""
        return self._subject("events.design.*.*")

    def cancel_subject(self, stage: Stage) -> str:
        """Where workers of a stage hear of cancelled work (core NATS)."""
        return self._subject(f"control.cancel.{stage.value}")

    def dead_subject(self, stage: Stage, tenant: str) -> str:
        """Where a dead letter's copy is published."""
        return self._subject(f"dead.{stage.value}.{tenant}")

    def unreadable_subject(self, stage: Stage) -> str:
        """Where the copy of a message that names no job is published; no tenant is called so."""
        return self._subject(f"dead.{stage.value}._unreadable")

    @property
    def all_unreadable_subject(self) -> str:
        """Matches every stage's."""
        return self._subject("dead.*._unreadable")

    @property
    def release_subject(self) -> str:
        """Where the release loop hears that a job was stored that is due (core NATS)."""
        return self._subject("control.release")

    def consumer_name(self, stage: Stage, lane: Lane) -> str:
        """Name of the durable of one stage and lane."""
        return f"{stage.value}-{lane.value}"

    def streams(self) -> tuple[StreamSpec, ...]:
        """Every stream."""
        jobs = self.jobs_stream
        return (
            StreamSpec(
                name=jobs,
                subjects=(self._subject("jobs.*.*.*"),),
                retention="workqueue",
                discard="new",
                max_msgs=2 * self.global_cap + 1_000,
                max_msg_bytes=SMALL_BYTES,
                duplicate_window_s=self.duplicate_window_s,
                description="Tickets: a job to look at.",
            ),
            StreamSpec(
                name=self.events_stream,
                subjects=(self._subject("events.design.*.*"),),
                retention="limits",
                discard="old",
                max_age_s=self.events_keep_s,
                max_msg_bytes=SMALL_BYTES,
                description="Doorbells: a design changed.",
            ),
            StreamSpec(
                name=self.dead_stream,
                subjects=(self._subject("dead.*.*"),),
                retention="limits",
                discard="old",
                max_age_s=30 * 86_400,
                max_msg_bytes=COPY_BYTES,
                description="Copies of dead letters.",
            ),
            StreamSpec(
                name=self.advisories_stream,
                subjects=(
                    f"{_ADVISORY}.MAX_DELIVERIES.{jobs}.*",
                    f"{_ADVISORY}.MSG_TERMINATED.{jobs}.*",
                ),
                retention="limits",
                discard="old",
                max_age_s=7 * 86_400,
                description="The broker's own warnings about JOBS.",
            ),
        )

    def consumers(self) -> tuple[ConsumerSpec, ...]:
        """Every durable consumer: the workers', one a stage and lane, and the mover's."""
        return (*self.job_consumers(), self.mover_consumer())

    def mover_consumer(self) -> ConsumerSpec:
        """Of the advisories that tell of messages delivered as often as may be."""
        return ConsumerSpec(
            name="mover",
            stream=self.advisories_stream,
            filter_subject=f"{_ADVISORY}.MAX_DELIVERIES.{self.jobs_stream}.*",
            ack_wait_s=30.0,
            max_deliver=-1,
            max_ack_pending=1000,
        )

    def job_consumers(self) -> tuple[ConsumerSpec, ...]:
        """The workers' consumers: one a stage and lane."""
        return tuple(
            ConsumerSpec(
                name=self.consumer_name(stage, lane),
                stream=self.jobs_stream,
                filter_subject=self._subject(f"jobs.{stage.value}.{lane.value}.*"),
                ack_wait_s=self.ack_wait_s,
                max_deliver=self.max_deliver,
                max_ack_pending=self.max_ack_pending[stage],
            )
            for stage in Stage
            for lane in Lane
        )

    def _name(self, name: str) -> str:
        return f"{self.namespace.upper()}_{name}" if self.namespace else name

    def _subject(self, subject: str) -> str:
        return f"{self.namespace}.{subject}" if self.namespace else subject


def ack_pending_needed(*, replicas: int, slots: int) -> int:
    """The least `max_ack_pending` of a stage's lanes, or the last workers started would find nothing to do.

    Beyond what runs in its slots a worker may hold one message of each other lane: an idle one keeps a pull open on
    each, and all may be answered at once.

    Args:
        replicas: Workers of the stage at most.
        slots: Jobs that each of them runs at a time.
    """
    return replicas * slots + replicas * (len(Lane) - 1)


def job_msg_id(job_id: UUID, publication: int) -> str:
    """The ticket's Nats-Msg-Id: the same publication is stored once, a new one is a new message."""
    return f"{job_id}:{publication}"


def dead_msg_id(job_id: UUID, publication: int) -> str:
    """The Nats-Msg-Id of a dead letter's copy."""
    return f"dead:{job_id}:{publication}"


def ring_msg_id(design_id: UUID, revision: int) -> str:
    """The Nats-Msg-Id of a terminal ring."""
    return f"{design_id}:{revision}"

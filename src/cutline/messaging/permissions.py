"""The broker's users, and the least that each has to be allowed.

Every deployment and job has a user of its own (an NKey), all in one account. What a user may publish and hear follows
from the topology and from what its code does; everything else is refused by the broker. The embedded stack, the
deployments and their tests read it from here.

`python -m cutline.messaging.permissions` prints it, as configuration of nats-server or values of its Helm chart.

Subjects that begin with `$JS.API.` are requests to JetStream, those with `$JS.ACK.` settle a delivered message. Each
request is named with its stream and, where it has one, its consumer: a wildcard there would reach into what belongs to
another user.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from cutline.domain.states import Lane, Stage
from cutline.messaging.topology import ConsumerSpec, Topology
from cutline.runtime.settings import inbox_prefix

ACCOUNT: Final = "cutline"
"""The account that holds streams, consumers and all users; KEDA asks for it by this name."""
SYSTEM_ACCOUNT: Final = "SYS"
"""The broker's own account: for an operator's tools, not for Cutline."""

_API: Final = "$JS.API"


class BusUser(StrEnum):
    """Who connects to the broker: one user for each deployment and job."""

    INGEST_API = "ingest-api"
    INGEST_ADMIN = "ingest-admin"
    INGEST_HOUSEKEEPING = "ingest-housekeeping"
    IMAGING = "imaging"
    MOCKUP = "mockup"
    STATUS = "status"
    TOPOLOGY = "topology"

    @property
    def inbox_prefix(self) -> str:
        """Where the user's replies arrive; no other user may listen there."""
        return inbox_prefix(self.value)


@dataclass(frozen=True, slots=True)
class Grant:
    """A subject, wildcards included, and what it is needed for."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Permissions:
    """All that one user may do.

    Attributes:
        publish: Where it may publish; a request is published too. Empty for a user that only listens.
        subscribe: What it may subscribe to.
    """

    publish: tuple[Grant, ...]
    subscribe: tuple[Grant, ...]

    @property
    def publish_allow(self) -> tuple[str, ...]:
        """The subjects of `publish`."""
        return tuple(grant.subject for grant in self.publish)

    @property
    def subscribe_allow(self) -> tuple[str, ...]:
        """The subjects of `subscribe`."""
        return tuple(grant.subject for grant in self.subscribe)


def permissions(user: BusUser, topology: Topology) -> Permissions:
    """The least that a user needs.

    Args:
        user: Who.
        topology: Names streams, consumers and subjects, its namespace included.
    """
    return _ALLOWED[user](topology)


def _ingest_api(topology: Topology) -> Permissions:
    """Accepts designs: hands out imaging's work, rings doorbells, and reads nothing that the broker holds."""
    return Permissions(
        publish=(
            *_tickets(topology, (Stage.IMAGING,), "a submit or reprocess hands its first job out"),
            _doorbells(topology),
            *(
                Grant(topology.cancel_subject(stage), "tells workers that a design was cancelled or superseded")
                for stage in Stage
            ),
            Grant(topology.release_subject, "tells the release loop that a job was stored that is due"),
            *_checks(topology),
        ),
        subscribe=(_replies(BusUser.INGEST_API),),
    )


def _ingest_admin(topology: Topology) -> Permissions:
    """Looks after the queues: counts, pauses, redrives and discards."""
    jobs, dead = topology.jobs_stream, topology.dead_stream
    return Permissions(
        publish=(
            *_tickets(topology, Stage, "a redrive hands a dead job out again"),
            _doorbells(topology),
            *(
                Grant(f"{_API}.CONSUMER.PAUSE.{jobs}.{consumer.name}", "pauses and resumes a lane")
                for consumer in topology.job_consumers()
            ),
            Grant(f"{_API}.DIRECT.GET.{dead}", "lists dead letters without a job, finds copies to discard"),
            Grant(f"{_API}.STREAM.MSG.DELETE.{dead}", "discards dead letters"),
            *_checks(topology),
        ),
        subscribe=(_replies(BusUser.INGEST_ADMIN),),
    )


def _ingest_housekeeping(topology: Topology) -> Permissions:
    """Runs the loops: relay, release, sweeper, mover and retention."""
    jobs, mover = topology.jobs_stream, topology.mover_consumer()
    return Permissions(
        publish=(
            *_tickets(topology, Stage, "relay, release, sweeper and mover hand jobs out"),
            _doorbells(topology),
            *(
                Grant(topology.dead_subject(stage, "*"), "relay and mover keep the copy of a dead letter")
                for stage in Stage
            ),
            Grant(f"{_API}.STREAM.MSG.GET.{jobs}", "sweeper and mover look whether a ticket is still stored"),
            Grant(f"{_API}.STREAM.MSG.DELETE.{jobs}", "sweeper and mover drop a ticket that is delivered no more"),
            *_pulls((mover,), "the mover reads what the broker gave up"),
            *_checks(topology),
        ),
        subscribe=(
            _replies(BusUser.INGEST_HOUSEKEEPING),
            Grant(topology.release_subject, "the release loop hears that a job was stored that is due"),
            Grant(topology.all_designs_subject, "the release loop hears that work was started"),
        ),
    )


def _worker(topology: Topology, *, user: BusUser, stage: Stage, follow_ups: Iterable[Stage]) -> Permissions:
    """Pulls from its own stage's lanes alone."""
    names = {topology.consumer_name(stage, lane) for lane in Lane}
    own = [consumer for consumer in topology.job_consumers() if consumer.name in names]
    return Permissions(
        publish=(
            *_pulls(own, "takes and settles work"),
            *_tickets(topology, follow_ups, "hands the next stage's job out"),
            _doorbells(topology),
            Grant(topology.dead_subject(stage, "*"), "keeps the copy of a dead letter"),
            *_checks(topology),
        ),
        subscribe=(
            _replies(user),
            Grant(topology.cancel_subject(stage), "hears that work was cancelled"),
        ),
    )


def _status(topology: Topology) -> Permissions:
    """Only listens: it asks the broker for nothing, so that no reply has to reach it."""
    return Permissions(publish=(), subscribe=(Grant(topology.all_designs_subject, "hears doorbells"),))


def _topology(topology: Topology) -> Permissions:
    """Creates, updates and compares; it never deletes, which is left to a person with another login."""
    return Permissions(
        publish=(
            *_checks(topology),
            *(
                Grant(f"{_API}.STREAM.{verb}.{stream.name}", "applies the topology")
                for stream in topology.streams()
                for verb in ("CREATE", "UPDATE")
            ),
            *(
                Grant(
                    f"{_API}.CONSUMER.CREATE.{consumer.stream}.{consumer.name}.{consumer.filter_subject}",
                    "applies the topology, with this filter and no other",
                )
                for consumer in topology.consumers()
            ),
        ),
        subscribe=(_replies(BusUser.TOPOLOGY),),
    )


_ALLOWED: Final[Mapping[BusUser, Callable[[Topology], Permissions]]] = {
    BusUser.INGEST_API: _ingest_api,
    BusUser.INGEST_ADMIN: _ingest_admin,
    BusUser.INGEST_HOUSEKEEPING: _ingest_housekeeping,
    BusUser.IMAGING: partial(_worker, user=BusUser.IMAGING, stage=Stage.IMAGING, follow_ups=(Stage.MOCKUP,)),
    BusUser.MOCKUP: partial(_worker, user=BusUser.MOCKUP, stage=Stage.MOCKUP, follow_ups=()),
    BusUser.STATUS: _status,
    BusUser.TOPOLOGY: _topology,
}


def _tickets(topology: Topology, stages: Iterable[Stage], reason: str) -> tuple[Grant, ...]:
    return tuple(Grant(topology.job_subject(stage, lane, "*"), reason) for stage in stages for lane in Lane)


def _doorbells(topology: Topology) -> Grant:
    return Grant(topology.all_designs_subject, "rings a design's doorbell")


def _pulls(consumers: Iterable[ConsumerSpec], reason: str) -> tuple[Grant, ...]:
    """Bound by name: neither creates a consumer nor asks for one."""
    return tuple(
        Grant(subject, reason)
        for consumer in consumers
        for subject in (
            f"{_API}.CONSUMER.MSG.NEXT.{consumer.stream}.{consumer.name}",
            f"$JS.ACK.{consumer.stream}.{consumer.name}.>",
        )
    )


def _checks(topology: Topology) -> tuple[Grant, ...]:
    """What readiness compares with the topology; it reads settings and counts, and no message."""
    return (
        *(
            Grant(f"{_API}.STREAM.INFO.{stream.name}", "compares the stream with the topology")
            for stream in topology.streams()
        ),
        *(
            Grant(
                f"{_API}.CONSUMER.INFO.{consumer.stream}.{consumer.name}",
                "compares the consumer with the topology, counts what waits",
            )
            for consumer in topology.consumers()
        ),
    )


def _replies(user: BusUser) -> Grant:
    return Grant(f"{user.inbox_prefix}.>", "replies to its own requests, acks of what it publishes")


if __name__ == "__main__":
    from cutline.messaging.permissions_command import main

    sys.exit(main())

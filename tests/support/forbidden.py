"""What a user of the broker must not do: whatever another may and it may not, and what nobody may."""

from __future__ import annotations

from cutline.messaging.permissions import BusUser, permissions
from cutline.messaging.topology import Topology
from tests.support.subjects import covers, example


def forbidden_publishes(user: BusUser, topology: Topology) -> list[str]:
    """Subjects, without wildcards, that the broker must not take from a user."""
    own = permissions(user, topology).publish_allow
    tried = [
        *(example(subject) for other in BusUser for subject in permissions(other, topology).publish_allow),
        *(f"{other.inbox_prefix}.x" for other in BusUser),  # a forged reply
        *_forbidden_requests(topology),
        "anything.else",
    ]
    return sorted({subject for subject in tried if not any(covers(pattern, subject) for pattern in own)})


def forbidden_subscribes(user: BusUser, topology: Topology) -> list[str]:
    """Subjects, wildcards included, that the broker must not let a user listen to."""
    own = permissions(user, topology).subscribe_allow
    tried = [
        *(subject for other in BusUser for subject in permissions(other, topology).subscribe_allow),
        *(subject for stream in topology.streams() for subject in stream.subjects),
        "_INBOX.>",
        "$JS.>",
        "$SYS.>",
        ">",
    ]
    return sorted({subject for subject in tried if not any(covers(pattern, subject) for pattern in own)})


def _forbidden_requests(topology: Topology) -> list[str]:
    """What no service and no job asks JetStream for."""
    stream, dead = topology.jobs_stream, topology.dead_stream
    [consumer, *_] = topology.job_consumers()
    return [
        "$JS.API.INFO",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.LIST",
        "$JS.API.STREAM.CREATE.MINE",
        *(f"$JS.API.STREAM.{verb}.{name}" for name in (stream, dead) for verb in ("DELETE", "PURGE", "SNAPSHOT")),
        f"$JS.API.CONSUMER.CREATE.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}.mine.jobs.>",
        f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.mine",
        f"$JS.API.CONSUMER.DELETE.{stream}.{consumer.name}",
        "$SYS.REQ.SERVER.PING",
    ]

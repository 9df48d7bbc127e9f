"""What a user of the broker may not do: everything that another user may and it may not, and what would hurt most."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pytest

from cutline.messaging.broker_client import BrokerClient
from cutline.messaging.permissions import BusUser, permissions
from tests.support.secured_bus import SecuredBus
from tests.support.subjects import covers, example

NOT_STORED: Final = {"Nats-Expected-Stream": "none"}
"""What is allowed is published too, to see that it is: a header that no stream accepts keeps it from being stored."""

API: Final = "$JS.API"

# What one compromised service must not do to the others; what a user may do is compared with all other users' below.
PUBLISHES: Final = {
    BusUser.IMAGING: (
        f"{API}.CONSUMER.MSG.NEXT.JOBS.mockup-standard",
        f"{API}.CONSUMER.MSG.NEXT.ADVISORIES.mover",
        "$JS.ACK.JOBS.mockup-standard.1.1.1.1.0",
        "jobs.imaging.standard.t",
        "dead.mockup.t",
        "control.cancel.imaging",
        f"{API}.STREAM.DELETE.JOBS",
        f"{API}.STREAM.PURGE.JOBS",
        f"{API}.STREAM.MSG.GET.JOBS",
        f"{API}.STREAM.MSG.DELETE.JOBS",
        f"{API}.STREAM.LIST",
        f"{API}.DIRECT.GET.JOBS",
        f"{API}.DIRECT.GET.DEAD",
        f"{API}.CONSUMER.CREATE.JOBS.own.jobs.mockup.standard.*",
        f"{API}.CONSUMER.CREATE.JOBS.own",
        f"{API}.CONSUMER.CREATE.JOBS",
        f"{API}.CONSUMER.DURABLE.CREATE.JOBS.own",
        f"{API}.CONSUMER.DELETE.JOBS.imaging-standard",
        f"{API}.CONSUMER.PAUSE.JOBS.imaging-standard",
        f"{API}.CONSUMER.UNPIN.JOBS.imaging-standard",
        f"{API}.STREAM.SNAPSHOT.JOBS",
        f"{API}.INFO",
        "_INBOX_mockup.x",
        "$SYS.REQ.SERVER.PING",
    ),
    BusUser.MOCKUP: (
        f"{API}.CONSUMER.MSG.NEXT.JOBS.imaging-standard",
        "$JS.ACK.JOBS.imaging-standard.1.1.1.1.0",
        "jobs.imaging.standard.t",
        "jobs.mockup.standard.t",
        "dead.imaging.t",
        f"{API}.STREAM.PURGE.JOBS",
        f"{API}.CONSUMER.CREATE.JOBS.own.jobs.imaging.standard.*",
    ),
    BusUser.STATUS: (
        "jobs.imaging.standard.t",
        "events.design.t.d",
        "control.cancel.imaging",
        "control.release",
        "dead.imaging.t",
        f"{API}.STREAM.INFO.EVENTS",
        f"{API}.CONSUMER.CREATE.EVENTS.own.events.design.*.*",
        f"{API}.STREAM.PURGE.EVENTS",
        f"{API}.DIRECT.GET.EVENTS",
        "anything",
    ),
    BusUser.INGEST_API: (
        "$JS.ACK.JOBS.imaging-standard.1.1.1.1.0",
        f"{API}.CONSUMER.MSG.NEXT.JOBS.imaging-standard",
        "jobs.mockup.standard.t",
        f"{API}.CONSUMER.PAUSE.JOBS.imaging-standard",
        f"{API}.STREAM.MSG.GET.JOBS",
        f"{API}.STREAM.MSG.DELETE.DEAD",
        f"{API}.STREAM.DELETE.JOBS",
        "dead.imaging.t",
    ),
    BusUser.INGEST_ADMIN: (
        "$JS.ACK.JOBS.imaging-standard.1.1.1.1.0",
        f"{API}.CONSUMER.MSG.NEXT.JOBS.imaging-standard",
        f"{API}.CONSUMER.DELETE.JOBS.imaging-standard",
        f"{API}.STREAM.MSG.DELETE.JOBS",
        f"{API}.STREAM.PURGE.DEAD",
        f"{API}.STREAM.DELETE.DEAD",
        f"{API}.STREAM.UPDATE.DEAD",
    ),
    BusUser.INGEST_HOUSEKEEPING: (
        "$JS.ACK.JOBS.imaging-standard.1.1.1.1.0",
        f"{API}.CONSUMER.MSG.NEXT.JOBS.imaging-standard",
        f"{API}.STREAM.PURGE.JOBS",
        f"{API}.STREAM.DELETE.JOBS",
        f"{API}.STREAM.UPDATE.JOBS",
        f"{API}.STREAM.MSG.DELETE.DEAD",
        f"{API}.CONSUMER.PAUSE.JOBS.imaging-standard",
    ),
    BusUser.TOPOLOGY: (
        f"{API}.STREAM.DELETE.JOBS",
        f"{API}.STREAM.PURGE.JOBS",
        f"{API}.STREAM.CREATE.OTHER",
        f"{API}.CONSUMER.CREATE.JOBS.own.jobs.imaging.standard.*",
        f"{API}.CONSUMER.CREATE.JOBS.imaging-standard.jobs.*.*.*",
        f"{API}.CONSUMER.DELETE.JOBS.imaging-standard",
        f"{API}.CONSUMER.MSG.NEXT.JOBS.imaging-standard",
        "jobs.imaging.standard.t",
        "events.design.t.d",
    ),
}
SUBSCRIBES: Final = (
    ">",
    "*",
    "_INBOX.>",
    "*.>",
    "jobs.>",
    "jobs.imaging.standard.*",
    "events.>",
    "dead.>",
    "control.>",
    "control.cancel.*",
    "$JS.>",
    "$JS.ACK.>",
    "$JS.EVENT.ADVISORY.>",
    "$SYS.>",
)


async def violations(
    bus: SecuredBus, user: BusUser, *, publishes: Iterable[str] = (), subscribes: Iterable[str] = ()
) -> set[str]:
    """Which of these the broker refuses a user; the client tells subjects in lower case."""
    refused: set[str] = set()

    async def note(error: Exception) -> None:
        if "permissions violation" in (said := str(error)):  # closing TLS tells of itself too
            refused.add(said.split('"')[1])

    settings = bus.settings(user)
    client = BrokerClient([settings.url], settings.tls)
    await client.connect(
        settings.url,
        nkeys_seed_str=settings.nkey_seed,
        inbox_prefix=settings.inbox_prefix,
        error_cb=note,
    )
    try:
        for subject in publishes:
            await client.publish(subject, b"", headers=NOT_STORED)
        for subject in subscribes:
            await client.subscribe(subject)
        await client.flush()  # refusals come before the answer to this
    finally:
        await client.close()
    return refused


@pytest.mark.parametrize("user", BusUser)
async def test_a_user_may_publish_what_it_is_granted_and_nothing_that_others_are(
    secured: SecuredBus, user: BusUser
) -> None:
    """Of all subjects that any user may publish to, the broker refuses exactly those that are not this user's."""
    own = permissions(user, secured.topology).publish_allow
    tried = {example(subject) for other in BusUser for subject in permissions(other, secured.topology).publish_allow}

    refused = await violations(secured, user, publishes=tried)

    foreign = {subject for subject in tried if not any(covers(pattern, subject) for pattern in own)}
    assert refused == {subject.lower() for subject in foreign}
    assert foreign


@pytest.mark.parametrize("user", BusUser)
async def test_a_user_may_hear_what_it_is_granted_and_nothing_that_others_are(
    secured: SecuredBus, user: BusUser
) -> None:
    """Of all that any user may subscribe to, other users' replies included, it may do exactly what is its own."""
    own = permissions(user, secured.topology).subscribe_allow
    tried = {subject for other in BusUser for subject in permissions(other, secured.topology).subscribe_allow}
    tried |= {f"{other.inbox_prefix}.>" for other in BusUser}

    refused = await violations(secured, user, subscribes=tried)

    foreign = {subject for subject in tried if not any(covers(pattern, subject) for pattern in own)}
    assert refused == {subject.lower() for subject in foreign}
    assert foreign


@pytest.mark.parametrize("user", BusUser)
async def test_what_would_hurt_most_is_refused(secured: SecuredBus, user: BusUser) -> None:
    """Reading another stage's lane, forging work, changing or emptying streams, listening to everything."""
    assert await violations(secured, user, publishes=PUBLISHES[user]) == {
        subject.lower() for subject in PUBLISHES[user]
    }
    assert await violations(secured, user, subscribes=SUBSCRIBES) == {subject.lower() for subject in SUBSCRIBES}


@pytest.mark.parametrize("user", [user for user in BusUser if user is not BusUser.TOPOLOGY])
async def test_only_the_topology_job_changes_streams_and_consumers(secured: SecuredBus, user: BusUser) -> None:
    """Nobody else creates, updates or deletes any of them; what there is stays as it was."""
    topology = secured.topology
    verbs = ("CREATE", "UPDATE", "DELETE", "PURGE", "RESTORE", "SNAPSHOT")
    changes = {f"{API}.STREAM.{verb}.{stream.name}" for stream in topology.streams() for verb in verbs} | {
        f"{API}.CONSUMER.{verb}.{one.stream}.{one.name}"
        for one in topology.consumers()
        for verb in ("CREATE", "DELETE")
    }

    assert await violations(secured, user, publishes=changes) == {subject.lower() for subject in changes}

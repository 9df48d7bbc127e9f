"""Creates the streams and consumers of the topology, and checks that they are as declared.

`python -m cutline.messaging.apply` applies; with `--diff` it changes nothing and says how the broker differs.
Exit codes: 0 applied, or nothing differs; 1 failed; 2 bad arguments or settings; 3 something differs.

Applying is one command, run by an operator or a deploy job. Services only verify: they refuse what would make them
wrong (a missing stream or consumer, another retention, ack policy, filter or duplicate window) and report what only
makes them slower or smaller. A paused consumer is state, not drift: applying keeps the pause.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StoreCompression,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError

from cutline.messaging.connection import Broker
from cutline.messaging.permissions import BusUser
from cutline.messaging.topology import ConsumerSpec, StreamSpec, Topology
from cutline.messaging.topology_settings import read_topology
from cutline.runtime.environment import EnvReader, SettingsError
from cutline.runtime.logging import configure_logging, get_logger, log_problems
from cutline.runtime.settings import LogLevel, NatsSettings

log = get_logger(__name__)

CONNECT_WAIT_S: Final = 30.0
PLACEMENT_WAIT_S: Final = 60.0
"""How long a cluster may take to know its nodes; a server reports itself to the others every 10 s at least."""
SAME_S: Final = 0.001
EXIT_DIFFERS: Final = 3

_NO_PEERS: Final = 10005
"""JSClusterNoPeersErrF: fewer nodes are known to be there than a stream wants copies."""
_UNAVAILABLE: Final = 503
"""Nobody who could answer is there, or the cluster is between leaders."""
_PLACEMENT_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class TopologyDrift:
    """How the broker differs from the topology, one sentence each.

    Attributes:
        errors: What would make a service wrong; it must not run.
        warnings: Tunables that somebody set otherwise.
    """

    errors: tuple[str, ...]
    warnings: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.errors or self.warnings)


async def apply_topology(
    jetstream: JetStreamContext, topology: Topology, *, placement_wait_s: float = PLACEMENT_WAIT_S
) -> None:
    """Creates or updates every stream and consumer.

    The leader of a cluster takes a node for absent until it has heard from it, and refuses for as long to place a
    stream's copies; nobody answers for a stream or consumer whose copies have not elected a leader yet. Both are waited
    for: a cluster that has just started is like that.

    Args:
        jetstream: The broker.
        topology: What it should hold.
        placement_wait_s: How long a cluster may take until it can do what it is asked.

    Raises:
        nats.js.errors.APIError: The broker refuses a change, such as another retention of a stream that exists, or
            too few of its nodes are there.
        nats.errors.TimeoutError: It does not answer.
    """
    deadline_s = time.monotonic() + placement_wait_s
    for stream in topology.streams():
        await _placed(partial(_apply_stream, jetstream, _stream_config(stream, topology.replicas)), deadline_s)
    for consumer in topology.consumers():
        add = partial(jetstream.add_consumer, consumer.stream, _consumer_config(consumer))
        await _placed(add, deadline_s)


async def _apply_stream(jetstream: JetStreamContext, config: StreamConfig) -> None:
    assert config.name is not None  # noqa: S101  (every stream of the topology has one)
    try:
        await jetstream.stream_info(config.name)
    except NotFoundError:
        await jetstream.add_stream(config)
    else:
        await jetstream.update_stream(config)


async def _placed(apply: Callable[[], Awaitable[object]], deadline_s: float) -> None:
    """Applies once the cluster knows enough nodes and has its leaders."""
    said = False
    while True:
        try:
            await apply()
        except (APIError, nats.errors.TimeoutError) as error:
            if not _may_pass(error) or time.monotonic() > deadline_s:
                raise
            if not said:
                log.warning("topology.waiting", problem=str(error))
            said = True
        else:
            return
        await asyncio.sleep(_PLACEMENT_POLL_S)


def _may_pass(error: APIError | nats.errors.TimeoutError) -> bool:
    """Whether a cluster that starts may do later what it does not do now."""
    if not isinstance(error, APIError):
        return True
    return error.err_code == _NO_PEERS or error.code == _UNAVAILABLE


async def verify_topology(jetstream: JetStreamContext, topology: Topology) -> TopologyDrift:
    """Compares the broker with the topology.

    Raises:
        nats.errors.Error: The broker does not answer.
    """
    errors: list[str] = []
    warnings: list[str] = []
    for stream in topology.streams():
        try:
            found = (await jetstream.stream_info(stream.name)).config
        except NotFoundError:
            errors.append(f"the stream {stream.name} is missing")
            continue
        _compare_stream(_stream_config(stream, topology.replicas), found, errors, warnings)
    for consumer in topology.consumers():
        try:
            config = (await jetstream.consumer_info(consumer.stream, consumer.name)).config
        except NotFoundError:
            errors.append(f"the consumer {consumer.name} of {consumer.stream} is missing")
            continue
        _compare_consumer(consumer, config, errors, warnings)
    return TopologyDrift(tuple(errors), tuple(warnings))


def _compare_stream(wanted: StreamConfig, found: StreamConfig, errors: list[str], warnings: list[str]) -> None:
    name = wanted.name
    if set(found.subjects or ()) != set(wanted.subjects or ()):
        errors.append(f"the stream {name} listens on {found.subjects}, not {wanted.subjects}")
    if found.retention != wanted.retention:
        errors.append(f"the stream {name} has retention {found.retention}, not {wanted.retention}")
    if abs((found.duplicate_window or 0) - wanted.duplicate_window) > SAME_S:
        errors.append(f"the stream {name} has duplicate_window {found.duplicate_window}, not {wanted.duplicate_window}")
    for field in ("discard", "max_msgs", "max_age", "max_msg_size", "num_replicas", "storage", "compression"):
        has, wants = getattr(found, field), getattr(wanted, field)
        if (has or 0) != (wants or 0):
            warnings.append(f"the stream {name} has {field} {has}, not {wants}")


def _compare_consumer(spec: ConsumerSpec, found: ConsumerConfig, errors: list[str], warnings: list[str]) -> None:
    wanted = _consumer_config(spec)
    for field in ("ack_policy", "filter_subject"):
        has, wants = getattr(found, field), getattr(wanted, field)
        if has != wants:
            errors.append(f"the consumer {spec.name} has {field} {has}, not {wants}")
    if found.backoff:
        # A backoff list overrides ack_wait and falsifies the delay of a nak.
        errors.append(f"the consumer {spec.name} has a backoff list")
    for field in ("ack_wait", "max_deliver", "max_ack_pending"):
        has, wants = getattr(found, field), getattr(wanted, field)
        if abs((has or 0) - wants) > SAME_S:
            warnings.append(f"the consumer {spec.name} has {field} {has}, not {wants}")


def _stream_config(spec: StreamSpec, replicas: int) -> StreamConfig:
    return StreamConfig(
        name=spec.name,
        description=spec.description,
        subjects=list(spec.subjects),
        retention=RetentionPolicy(spec.retention),
        discard=DiscardPolicy(spec.discard),
        storage=StorageType.FILE,
        compression=StoreCompression.S2,
        num_replicas=replicas,
        max_msgs=spec.max_msgs,
        max_age=spec.max_age_s,
        max_msg_size=spec.max_msg_bytes,
        duplicate_window=spec.duplicate_window_s,
        allow_direct=True,
    )


def _consumer_config(spec: ConsumerSpec) -> ConsumerConfig:
    return ConsumerConfig(
        name=spec.name,
        durable_name=spec.name,
        filter_subject=spec.filter_subject,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=spec.ack_wait_s,
        max_deliver=spec.max_deliver,
        max_ack_pending=spec.max_ack_pending,
    )


async def _run(nats_settings: NatsSettings, topology: Topology, *, only_diff: bool) -> int:
    refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    broker = Broker(
        nats_settings,
        name="cutline-topology",
        on_fatal=lambda why: None if refused.done() else refused.set_result(why),
    )
    await broker.start()
    try:
        if (problem := await _connected(broker, refused)) is not None:
            log.error("topology.failed", problem=problem)
            return 1
        if only_diff:
            return _tell(await verify_topology(broker.jetstream, topology))
        await apply_topology(broker.jetstream, topology)
    except (APIError, nats.errors.Error) as error:
        log.error("topology.failed", problem=str(error))  # noqa: TRY400  (the broker's sentence says it all)
        return 1
    finally:
        await broker.stop()
    log.info("topology.applied", streams=[stream.name for stream in topology.streams()])
    return 0


async def _connected(broker: Broker, refused: asyncio.Future[str]) -> str | None:
    """Waits for a connection; what keeps it from being made, or None. A login that was refused is not waited for."""
    connecting = asyncio.create_task(broker.wait_connected(CONNECT_WAIT_S))
    either: list[asyncio.Future[Any]] = [connecting, refused]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    connecting.cancel()  # does nothing to one that is done
    if refused.done():
        return refused.result()
    return None if connecting.result() else await broker.problem()


def _tell(drift: TopologyDrift) -> int:
    for difference in drift.errors:
        sys.stdout.write(f"wrong: {difference}\n")
    for difference in drift.warnings:
        sys.stdout.write(f"tunable: {difference}\n")
    return EXIT_DIFFERS if drift else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Applies or compares the topology; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m cutline.messaging.apply", description="Makes the streams and consumers, or compares them."
    )
    parser.add_argument("--diff", action="store_true", help="change nothing; say how the broker differs")
    choice = parser.parse_args(arguments)
    configure_logging("topology", LogLevel.INFO)
    env = EnvReader(os.environ)
    nats_settings = NatsSettings.read(env, user=BusUser.TOPOLOGY)
    topology = read_topology(env)
    try:
        env.finish()
    except SettingsError as error:
        log_problems(error)
        return 2
    return asyncio.run(_run(nats_settings, topology, only_diff=choice.diff))


if __name__ == "__main__":
    sys.exit(main())

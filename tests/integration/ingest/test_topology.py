"""The topology is applied by one command; services and operators see what differs from it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from nats.js.errors import APIError
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from cutline.domain.states import Lane, Stage
from cutline.messaging.apply import EXIT_DIFFERS
from cutline.messaging.topology import SMALL_BYTES, Topology
from cutline.messaging.topology_check import TopologyCheck
from cutline.telemetry.metrics import Metrics
from services.ingest.bus_check import BusCheck
from tests.integration.ingest.parts import Bench

Command = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def command(nats_url: str) -> Command:
    """Runs the command against the test's broker; its exit code and output."""

    async def run(*arguments: str, **environment: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cutline.messaging.apply", *arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"CUTLINE_NATS_URL": nats_url} | environment,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    return run


async def test_the_command_applies_and_tells_differences(command: Command) -> None:
    """Nothing is there, then all is as declared, then the settings ask for something else."""
    code, told = await command("--diff")
    assert code == EXIT_DIFFERS
    assert "wrong: the stream JOBS is missing\n" in told

    assert (await command())[0] == 0
    code, told = await command("--diff")
    assert (code, "wrong:" in told, "tunable:" in told) == (0, False, False)

    short = {"CUTLINE_ACK_WAIT": "2s", "CUTLINE_DUPLICATE_WINDOW": "1s", "CUTLINE_EVENTS_KEEP": "1h"}
    code, told = await command("--diff", **short)
    assert code == EXIT_DIFFERS
    assert "wrong: the stream JOBS has duplicate_window 600.0, not 1.0\n" in told
    assert "tunable: the consumer imaging-express has ack_wait 30.0, not 2.0\n" in told
    assert "tunable: the stream EVENTS has max_age 604800.0, not 3600.0\n" in told

    assert (await command(**short))[0] == 0
    assert (await command("--diff", **short))[0] == 0


async def test_unusable_settings_are_refused(command: Command) -> None:
    """By name, with the exit code that says so."""
    code, told = await command("--diff", CUTLINE_NATS_REPLICAS="9")
    assert code == 2
    assert "CUTLINE_NATS_REPLICAS" in told


async def test_streams_refuse_what_no_ticket_is(bench: Bench) -> None:
    """A login that publishes large messages fills no disk with them: the broker takes none."""
    subject = bench.topology.job_subject(Stage.IMAGING, Lane.BULK, "acme")

    with pytest.raises(APIError, match="exceeds"):
        await bench.broker.jetstream.publish(subject, bytes(SMALL_BYTES + 1))


async def test_ingest_shows_what_differs_as_a_metric(bench: Bench) -> None:
    """Tunables and faults are counted apart, and the count goes back once it is mended."""
    reader = InMemoryMetricReader()
    metrics = Metrics.of(MeterProvider([reader]).get_meter("test"))
    check = BusCheck(bench.broker, TopologyCheck(bench.broker, Topology(ack_wait_s=7)), metrics=metrics)
    await bench.broker.jetstream.delete_consumer(bench.topology.jobs_stream, "mockup-bulk")

    await check.check()
    assert differences(reader) == {"wrong": 1, "tunable": 5}

    mended = BusCheck(bench.broker, TopologyCheck(bench.broker, bench.topology), metrics=metrics)
    await bench.broker.jetstream.delete_stream(bench.topology.events_stream)
    await mended.check()
    assert differences(reader) == {"wrong": 2, "tunable": 0}


def differences(reader: InMemoryMetricReader) -> dict[str, int]:
    """The gauge's values by kind."""
    data = reader.get_metrics_data()
    assert data is not None
    found = {}
    for scope in data.resource_metrics[0].scope_metrics:
        for metric in scope.metrics:
            if metric.name == "cutline.topology.differences":
                for point in metric.data.data_points:
                    attributes = point.attributes or {}
                    found[str(attributes["cutline.reason"])] = int(getattr(point, "value", -1))
    return found

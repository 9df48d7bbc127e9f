"""The instruments of the metrics: what is counted, in which unit, with which attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from opentelemetry.metrics import Counter, Histogram, Meter, NoOpMeter, UpDownCounter, _Gauge

from cutline.telemetry.names import SCOPE, Metric

_RPC_BOUNDS_S: Final = (0.001, 0.002, 0.003, 0.005, 0.008, 0.0125, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_WORK_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_BATCH_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every instrument; attributes are named by `telemetry.names.Attribute`.

    Attributes:
        rpc_duration_s: Server calls (rpc.method, rpc.response.status_code, error.type).
        submits: Accepted submits (outcome: created, deduplicated, replayed, refused; lane).
        publishes: Messages published inline or by a relay (outcome: stored, duplicate, timeout, failed; stage).
        publish_duration_s: From publish to its ack (outcome).
        jobs: Attempts that ended (stage, lane, outcome, reason).
        stage_duration_s: One attempt at a stage (stage, outcome).
        step_duration_s: One step of a pipeline (step).
        group_commit_size: Rows per group commit.
        outbox_depth: Outbox rows that are not yet published.
        outbox_age_s: Age of the oldest of them, 0 where there is none.
        queue_depth: Jobs that are released and not started (stage, lane).
        queue_waiting: Jobs that are not released yet (stage, lane).
        queue_wait_s: Longest that a job which could run has waited, 0 where none waits (stage, lane).
        dead_letters: Dead letters that nobody has redriven or discarded (stage, lane).
        unfinished_designs: Designs that are QUEUED or PROCESSING.
        watchers: Open watch streams (stream_kind).
        row_reads: Designs read for watchers (read_cause: snapshot, change, resync, catch_up).
        changes_told: Revisions and deletions that were news to a watcher, each once however many watch.
        slow_readers: Streams ended because their callers did not read.
        rings: Doorbells (outcome: sent, heard, lost).
        database_connected: 1 while the database answers, else 0.
        bus_connected: 1 while the broker is reached, else 0.
        bus_violations: What the broker refused because this user may not do it (reason: publish, subscription).
        topology_differences: Settings of streams and consumers that are not as declared (reason: wrong, tunable).
        blob_duration_s: Calls to the object store (blob_operation, outcome).
    """

    rpc_duration_s: Histogram
    submits: Counter
    publishes: Counter
    publish_duration_s: Histogram
    jobs: Counter
    stage_duration_s: Histogram
    step_duration_s: Histogram
    group_commit_size: Histogram
    outbox_depth: _Gauge
    outbox_age_s: _Gauge
    queue_depth: _Gauge
    queue_waiting: _Gauge
    queue_wait_s: _Gauge
    dead_letters: _Gauge
    unfinished_designs: _Gauge
    watchers: UpDownCounter
    row_reads: Counter
    changes_told: Counter
    slow_readers: Counter
    rings: Counter
    database_connected: _Gauge
    bus_connected: _Gauge
    bus_violations: Counter
    topology_differences: _Gauge
    blob_duration_s: Histogram

    @classmethod
    def of(cls, meter: Meter) -> Self:
        """Makes every instrument on a meter."""

        def seconds(name: Metric, text: str, bounds: tuple[float, ...]) -> Histogram:
            return meter.create_histogram(name, "s", text, explicit_bucket_boundaries_advisory=bounds)

        return cls(
            rpc_duration_s=seconds(Metric.RPC_DURATION, "Duration of server calls.", _RPC_BOUNDS_S),
            submits=meter.create_counter(Metric.SUBMITS, "{submit}", "Submits answered."),
            publishes=meter.create_counter(Metric.PUBLISHES, "{message}", "Messages published."),
            publish_duration_s=seconds(Metric.PUBLISH_DURATION, "From publish to its ack.", _RPC_BOUNDS_S),
            jobs=meter.create_counter(Metric.JOBS, "{attempt}", "Attempts that ended."),
            stage_duration_s=seconds(Metric.STAGE_DURATION, "Duration of an attempt at a stage.", _WORK_BOUNDS_S),
            step_duration_s=seconds(Metric.STEP_DURATION, "Duration of a step of a pipeline.", _WORK_BOUNDS_S),
            group_commit_size=meter.create_histogram(
                Metric.GROUP_COMMIT_SIZE,
                "{row}",
                "Rows per group commit.",
                explicit_bucket_boundaries_advisory=_BATCH_BOUNDS,
            ),
            outbox_depth=meter.create_gauge(Metric.OUTBOX_DEPTH, "{row}", "Outbox rows not yet published."),
            outbox_age_s=meter.create_gauge(Metric.OUTBOX_AGE, "s", "Age of the oldest outbox row."),
            queue_depth=meter.create_gauge(Metric.QUEUE_DEPTH, "{job}", "Jobs released and not started."),
            queue_waiting=meter.create_gauge(Metric.QUEUE_WAITING, "{job}", "Jobs not released yet."),
            queue_wait_s=meter.create_gauge(Metric.QUEUE_WAIT, "s", "Longest wait of a job that could run."),
            dead_letters=meter.create_gauge(Metric.DEAD_LETTERS, "{letter}", "Dead letters that are open."),
            unfinished_designs=meter.create_gauge(Metric.UNFINISHED_DESIGNS, "{design}", "Designs under way."),
            watchers=meter.create_up_down_counter(Metric.WATCHERS, "{stream}", "Open watch streams."),
            row_reads=meter.create_counter(Metric.ROW_READS, "{row}", "Designs read for watchers."),
            changes_told=meter.create_counter(Metric.CHANGES_TOLD, "{change}", "Changes that were news to a watcher."),
            slow_readers=meter.create_counter(Metric.SLOW_READERS, "{stream}", "Streams ended for not being read."),
            rings=meter.create_counter(Metric.RINGS, "{ring}", "Doorbells sent, heard and lost."),
            database_connected=meter.create_gauge(Metric.DATABASE_CONNECTED, "1", "1 while the database answers."),
            bus_connected=meter.create_gauge(Metric.BUS_CONNECTED, "1", "1 while the broker is reached."),
            bus_violations=meter.create_counter(
                Metric.BUS_VIOLATIONS, "{violation}", "Publishes and subscriptions the broker does not allow."
            ),
            topology_differences=meter.create_gauge(
                Metric.TOPOLOGY_DIFFERENCES, "{difference}", "Settings of the broker that are not as declared."
            ),
            blob_duration_s=seconds(Metric.BLOB_DURATION, "Duration of object store calls.", _WORK_BOUNDS_S),
        )

    @classmethod
    def silent(cls) -> Self:
        """Instruments that measure nothing."""
        return cls.of(NoOpMeter(SCOPE))

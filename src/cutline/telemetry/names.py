"""Every name of a span, an attribute and a metric, declared once.

Names without the `cutline.` prefix come from OpenTelemetry's semantic conventions (RPC 1.45, messaging in development).
Prometheus shows a metric with underscores for dots and with its unit: `cutline.submits` as `cutline_submits_total`.
"""

from __future__ import annotations

from enum import StrEnum

SCOPE = "cutline"
"""Instrumentation scope of everything here."""


class Span(StrEnum):
    """Names of spans; those with a place are completed by `format`."""

    PROCESS = "process {destination}"
    STEP = "step {step}"
    HEAD_UPLOAD = "ingest.head_upload"
    BLOB_GET = "blob.get"
    BLOB_PUT = "blob.put"
    BLOB_HEAD = "blob.head"
    BLOB_DELETE = "blob.delete"
    WATCH_READ = "status.read_design"


class Attribute(StrEnum):
    """Keys of span and metric attributes."""

    SERVICE_NAME = "service.name"
    SERVICE_VERSION = "service.version"
    SERVICE_INSTANCE_ID = "service.instance.id"
    ERROR_TYPE = "error.type"
    # RPC
    RPC_SYSTEM = "rpc.system.name"
    RPC_METHOD = "rpc.method"
    RPC_STATUS_CODE = "rpc.response.status_code"
    # messaging
    MESSAGING_SYSTEM = "messaging.system"
    MESSAGING_DESTINATION_TEMPLATE = "messaging.destination.template"
    MESSAGING_OPERATION_TYPE = "messaging.operation.type"
    # ours
    TENANT = "cutline.tenant"
    DESIGN_ID = "cutline.design_id"
    JOB_ID = "cutline.job_id"
    GENERATION = "cutline.generation"
    ATTEMPT = "cutline.attempt"
    STAGE = "cutline.stage"
    STEP = "cutline.step"
    LANE = "cutline.lane"
    OUTCOME = "cutline.outcome"
    REASON = "cutline.reason"
    STREAM_KIND = "cutline.stream_kind"
    READ_CAUSE = "cutline.read_cause"
    BLOB_OPERATION = "cutline.blob_operation"
    SIZE_BYTES = "cutline.size_bytes"


class Metric(StrEnum):
    """Names of metrics."""

    RPC_DURATION = "rpc.server.call.duration"
    SUBMITS = "cutline.submits"
    PUBLISHES = "cutline.publishes"
    PUBLISH_DURATION = "cutline.publish.duration"
    JOBS = "cutline.jobs"
    STAGE_DURATION = "cutline.stage.duration"
    STEP_DURATION = "cutline.step.duration"
    GROUP_COMMIT_SIZE = "cutline.group_commit.size"
    OUTBOX_DEPTH = "cutline.outbox.depth"
    OUTBOX_AGE = "cutline.outbox.age"
    QUEUE_DEPTH = "cutline.queue.depth"
    QUEUE_WAITING = "cutline.queue.waiting"
    QUEUE_WAIT = "cutline.queue.wait"
    DEAD_LETTERS = "cutline.dead_letters"
    UNFINISHED_DESIGNS = "cutline.unfinished_designs"
    WATCHERS = "cutline.watchers"
    ROW_READS = "cutline.row_reads"
    CHANGES_TOLD = "cutline.changes_told"
    SLOW_READERS = "cutline.slow_readers"
    RINGS = "cutline.rings"
    DATABASE_CONNECTED = "cutline.database.connected"
    BUS_CONNECTED = "cutline.bus.connected"
    BUS_VIOLATIONS = "cutline.bus.violations"
    TOPOLOGY_DIFFERENCES = "cutline.topology.differences"
    BLOB_DURATION = "cutline.blob.duration"

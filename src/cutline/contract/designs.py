"""Stored designs -> cutline.v1.Design."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from cutline.contract.file_names import artifact_file_name, mockup_file_name
from cutline.contract.report import finding_to_wire, geometry_to_wire
from cutline.contract.specs import resolved_spec_from_json, spec_from_json, spec_to_wire
from cutline.domain.states import DesignState, Stage
from cutline.store.design_reads import DesignRow
from cutline.v1 import design_pb2 as pb
from cutline.v1 import report_pb2
from cutline.v1 import sticker_spec_pb2 as spec_pb

_STAGES: Final = {None: pb.STAGE_UNSPECIFIED, Stage.IMAGING: pb.STAGE_IMAGING, Stage.MOCKUP: pb.STAGE_MOCKUP}


@dataclass(frozen=True, slots=True)
class SignedAddress:
    """Where a file can be fetched, and until when."""

    url: str
    expire_time: datetime


SignFile = Callable[[str, str, str], SignedAddress]
"""Signs the address of one file: its object key, the name a browser should save it by, and its media type."""


def timestamp(time: datetime | None) -> Timestamp | None:
    """A time with a zone as a Timestamp; None stays None, so that the field is not set."""
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def state_to_wire(state: DesignState) -> pb.Design.State.ValueType:
    """A design's state."""
    return pb.Design.State.Value(f"STATE_{state.value}")


def design_to_wire(row: DesignRow, *, sign: SignFile | None = None) -> pb.Design:
    """A design as the wire says it.

    Args:
        row: As it was read; its timeline is told where it was read too.
        sign: Signs the addresses of its files; without it they stay empty.
    """
    message = pb.Design(
        id=str(row.design_id),
        tenant=row.tenant,
        title=row.title,
        labels=dict(row.labels),
        reference=row.reference,
        artwork=pb.Artwork(
            upload_id=str(row.upload_id),
            filename=row.filename,
            media_type=row.media_type,
            size_bytes=row.size_bytes,
            sha256=row.sha256.hex(),
        ),
        spec=spec_to_wire(spec_from_json(row.spec)),
        resolved_spec=spec_to_wire(resolved_spec_from_json(row.resolved_spec)),
        state=state_to_wire(row.state),
        stage=_STAGES[row.stage],
        progress=row.progress,
        revision=row.revision,
        generation=row.generation,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        finish_time=timestamp(row.finish_time),
    )
    _add_failure(message, row)
    _add_results(message, row, sign)
    message.timeline.extend(_timeline_entry(entry) for entry in row.timeline or ())
    return message


def _add_failure(message: pb.Design, row: DesignRow) -> None:
    if row.state is not DesignState.FAILED:
        return
    message.failure.reason = row.failure_reason or ""
    message.failure.message = row.failure_message or ""
    message.failure.stage = _STAGES[row.failure_stage]


def _add_results(message: pb.Design, row: DesignRow, sign: SignFile | None) -> None:
    if row.geometry is not None:
        message.geometry.CopyFrom(geometry_to_wire(row.geometry))
    if row.print_verdict:
        message.print_verdict = report_pb2.PrintVerdict.Value(f"PRINT_VERDICT_{row.print_verdict}")
    if row.cutout_method:
        message.cutout_method = spec_pb.CutoutMethod.Value(f"CUTOUT_METHOD_{row.cutout_method}")
    message.cutout_confidence = row.cutout_confidence or 0.0
    message.findings.extend(finding_to_wire(finding) for finding in row.findings)
    artifacts = [_artifact(artifact, sign) for artifact in row.artifacts]
    message.artifacts.extend(sorted(artifacts, key=lambda artifact: artifact.kind))
    message.mockups.extend(_mockup(mockup, sign) for mockup in row.mockups)


def _artifact(artifact: Mapping[str, Any], sign: SignFile | None) -> pb.Artifact:
    message = pb.Artifact(
        kind=spec_pb.OutputFormat.Value(f"OUTPUT_FORMAT_{artifact['kind']}"),
        generation=artifact["generation"],
        media_type=artifact["media_type"],
        size_bytes=artifact["size_bytes"],
        sha256=artifact["sha256"],
    )
    _sign(message, artifact, sign, file_name=artifact_file_name(artifact["kind"]))
    return message


def _mockup(mockup: Mapping[str, Any], sign: SignFile | None) -> pb.Mockup:
    message = pb.Mockup(
        scene=mockup["scene"],
        generation=mockup["generation"],
        media_type=mockup["media_type"],
        size_bytes=mockup["size_bytes"],
        sha256=mockup["sha256"],
        width_px=mockup["width_px"],
        height_px=mockup["height_px"],
    )
    _sign(message, mockup, sign, file_name=mockup_file_name(mockup["scene"], mockup["media_type"]))
    return message


def _sign(
    message: pb.Artifact | pb.Mockup, stored: Mapping[str, Any], sign: SignFile | None, *, file_name: str
) -> None:
    if sign is None:
        return
    address = sign(stored["object_key"], file_name, stored["media_type"])
    message.url = address.url
    message.url_expire_time.FromDatetime(address.expire_time)


def _timeline_entry(entry: Mapping[str, Any]) -> pb.TimelineEntry:
    return pb.TimelineEntry(
        revision=entry["revision"],
        time=timestamp(datetime.fromisoformat(entry["time"])),
        generation=entry["generation"],
        state=pb.Design.State.Value(f"STATE_{entry['state']}"),
        stage=_STAGES[Stage(entry["stage"]) if entry["stage"] else None],
        attempt=entry["attempt"],
        worker=entry["worker"],
        event=entry["event"],
    )

"""Reads the requests of IngestService: every field within its limits, every problem of a request named at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from cutline.contract.specs import enum_from_wire, spec_from_wire, spec_to_json, spec_to_wire
from cutline.domain.artwork import MEDIA_TYPES, ArtworkLimits
from cutline.domain.calls import CallIdentity
from cutline.domain.errors import FieldViolation, InvalidInputError, Reason
from cutline.domain.ids import parse_request_id
from cutline.domain.scenes import SCENE_IDS
from cutline.domain.states import Lane
from cutline.domain.sticker_spec import ResolvedSpec, StickerSpec, resolve
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1 import job_pb2
from cutline.v1 import sticker_spec_pb2 as spec_pb

MAX_FILENAME: Final = 255
MAX_TEXT: Final = 200
MAX_LABELS: Final = 32
DEFAULT_MAX_ATTEMPTS: Final = 5
MOST_ATTEMPTS: Final = 20
FARTHEST_START: Final = timedelta(days=30)

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LABEL_KEY: Final = re.compile(r"[a-z0-9._-]{1,63}")


@dataclass(frozen=True, slots=True)
class JobWish:
    """How to run a design's work; `not_before_time` is None where nothing keeps it from starting."""

    lane: Lane
    max_attempts: int
    not_before_time: datetime | None


@dataclass(frozen=True, slots=True)
class SpecWish:
    """A spec in every form that accepting needs; equal requests share one."""

    resolved: ResolvedSpec
    spec: dict[str, Any]
    resolved_spec: dict[str, Any]
    spec_json: str
    resolved_spec_json: str
    wire: spec_pb.StickerSpec
    resolved_wire: spec_pb.StickerSpec


@dataclass(frozen=True, slots=True)
class SubmitWish:
    """A design to accept."""

    call: CallIdentity
    upload_id: str
    title: str
    labels: Mapping[str, str]
    reference: str
    spec: SpecWish
    job: JobWish

    @property
    def labels_json(self) -> str:
        """The labels as stored."""
        return _to_json(dict(self.labels)) if self.labels else "{}"


@dataclass(frozen=True, slots=True)
class UploadWish:
    """Artwork to promise a place for; `sha256` has 32 bytes."""

    call: CallIdentity
    filename: str
    media_type: str
    size_bytes: int
    sha256: bytes


def read_call(tenant: str, method: str, request: Any) -> CallIdentity:
    """Which call this is: its id, and a digest of what it asks.

    Raises:
        InvalidInputError: `request_id` is not a UUID.
    """
    request_id = parse_request_id(request.request_id)
    if request_id is None:
        return CallIdentity(tenant, None, method, b"")
    body = type(request)()
    body.CopyFrom(request)
    body.ClearField("request_id")
    text = body.SerializeToString(deterministic=True)
    return CallIdentity(tenant, request_id, method, hashlib.sha256(method.encode() + b"\0" + text).digest())


def read_spec(message: spec_pb.StickerSpec, *, field_prefix: str = "spec.") -> SpecWish:
    """The spec asked for, with preset and defaults applied.

    Raises:
        InvalidInputError: A value lies outside its limit, or a scene is unknown.
    """
    known = spec_pb.StickerSpec()
    known.CopyFrom(message)
    known.DiscardUnknownFields()  # what no release reads must not be remembered
    return _spec_wish(known.SerializeToString(deterministic=True), field_prefix)


@lru_cache(maxsize=2048)
def _spec_wish(text: bytes, field_prefix: str) -> SpecWish:
    # Callers send few specs many times, and this costs more than the rest of a submit.
    return resolve_spec(spec_from_wire(spec_pb.StickerSpec.FromString(text), field_prefix=field_prefix), field_prefix)


def resolve_spec(spec: StickerSpec, field_prefix: str = "spec.") -> SpecWish:
    """As `read_spec`, from a spec of the domain."""
    resolved = resolve(spec, field_prefix=field_prefix)
    unknown = [scene for scene in resolved.mockup_scenes or () if scene not in SCENE_IDS]
    if unknown:
        text = f"{unknown[0][:40]!r} is not one of {', '.join(SCENE_IDS)}"
        field = f"{field_prefix}mockups.scenes"
        raise InvalidInputError(
            Reason.SCENE_UNKNOWN,
            f"{field}: {text}",
            violations=(FieldViolation(field, text, Reason.SCENE_UNKNOWN),),
            metadata={"scene": unknown[0][:63]},
        )
    values, resolved_values = spec_to_json(spec), spec_to_json(resolved)
    return SpecWish(
        resolved=resolved,
        spec=values,
        resolved_spec=resolved_values,
        spec_json=_to_json(values),
        resolved_spec_json=_to_json(resolved_values),
        wire=spec_to_wire(spec),
        resolved_wire=spec_to_wire(resolved),
    )


def read_job(options: job_pb2.JobOptions, *, now: datetime) -> JobWish:
    """The job options; a `not_before_time` that has passed is none.

    Raises:
        InvalidInputError: A value lies outside its limit.
    """
    max_attempts = options.max_attempts if options.HasField("max_attempts") else DEFAULT_MAX_ATTEMPTS
    if not 1 <= max_attempts <= MOST_ATTEMPTS:
        raise InvalidInputError.of_fields(
            FieldViolation("job.max_attempts", f"{max_attempts} is not 1 to {MOST_ATTEMPTS}", "OUT_OF_RANGE")
        )
    lane = enum_from_wire(Lane, job_pb2.Lane, "LANE_", options.lane, "job.lane") if options.lane else Lane.STANDARD
    return JobWish(lane or Lane.STANDARD, max_attempts, _not_before_time(options, now))


def _not_before_time(options: job_pb2.JobOptions, now: datetime) -> datetime | None:
    if not options.HasField("not_before_time"):
        return None
    field = "job.not_before_time"
    try:
        moment = options.not_before_time.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidInputError.of_fields(FieldViolation(field, "is not a time", "INVALID")) from None
    if moment > now + FARTHEST_START:
        raise InvalidInputError.of_fields(
            FieldViolation(field, f"{moment.isoformat()} is more than 30 days ahead", "OUT_OF_RANGE")
        )
    return moment if moment > now else None


def read_submit(tenant: str, request: pb.SubmitDesignRequest, *, now: datetime) -> SubmitWish:
    """A submit as asked for.

    Raises:
        InvalidInputError: A field lies outside its limit; every such text is named.
    """
    found = [
        violation
        for field, text in (("title", request.title), ("reference", request.reference))
        if (violation := _text_violation(field, text, MAX_TEXT))
    ]
    if request.labels:
        found.extend(_label_violations(request.labels))
    if found:
        raise InvalidInputError.of_fields(*found)
    return SubmitWish(
        call=read_call(tenant, "SubmitDesign", request),
        upload_id=request.upload_id,
        title=request.title,
        labels=request.labels,
        reference=request.reference,
        spec=read_spec(request.spec),
        job=read_job(request.job, now=now),
    )


def read_upload(tenant: str, request: pb.CreateUploadRequest, limits: ArtworkLimits) -> UploadWish:
    """A wish to upload.

    Raises:
        InvalidInputError: The type is not supported, the length not accepted, or another field outside its limit.
    """
    if request.media_type not in MEDIA_TYPES:
        text = f"{request.media_type[:80]!r} is not one of {', '.join(MEDIA_TYPES)}"
        raise _artwork_refused(Reason.ARTWORK_TYPE_UNSUPPORTED, "media_type", text)
    if request.size_bytes > limits.max_bytes:
        text = f"{request.size_bytes} bytes are more than {limits.max_bytes}"
        raise _artwork_refused(Reason.ARTWORK_TOO_LARGE, "size_bytes", text)
    if request.size_bytes < 1:
        raise _artwork_refused(Reason.ARTWORK_EMPTY, "size_bytes", f"{request.size_bytes} bytes are no artwork")
    found = []
    if not _SHA256.fullmatch(request.sha256):
        found.append(FieldViolation("sha256", "is not 64 lowercase hexadecimal digits"))
    if violation := _text_violation("filename", request.filename, MAX_FILENAME):
        found.append(violation)
    if found:
        raise InvalidInputError.of_fields(*found)
    return UploadWish(
        call=read_call(tenant, "CreateUpload", request),
        filename=request.filename,
        media_type=request.media_type,
        size_bytes=request.size_bytes,
        sha256=bytes.fromhex(request.sha256),
    )


def _artwork_refused(reason: Reason, field: str, text: str) -> InvalidInputError:
    """The error for artwork that cannot be accepted, with the field of the request that says so."""
    return InvalidInputError(reason, f"{field}: {text}", violations=(FieldViolation(field, text, reason),))


def _text_violation(field: str, text: str, most: int) -> FieldViolation | None:
    if len(text) > most:
        return FieldViolation(field, f"{len(text)} characters are more than {most}", "OUT_OF_RANGE")
    if "\0" in text:
        return FieldViolation(field, "holds a NUL character")
    return None


def _label_violations(labels: Any) -> list[FieldViolation]:
    found = []
    if len(labels) > MAX_LABELS:
        found.append(FieldViolation("labels", f"{len(labels)} labels are more than {MAX_LABELS}", "OUT_OF_RANGE"))
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            found.append(FieldViolation("labels", f"the key {key[:70]!r} does not match [a-z0-9._-]{{1,63}}"))
        elif violation := _text_violation(f"labels.{key}", value, MAX_TEXT):
            found.append(violation)
    return found


def _to_json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)

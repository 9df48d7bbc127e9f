"""What is sent to the services, built from arguments: no I/O, the same for both clients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, Protocol
from uuid import NAMESPACE_OID, uuid4, uuid5

from cutline.client.artwork import ArtworkSource
from cutline.client.specs import wire_spec
from cutline.domain.sticker_spec import StickerSpec
from cutline.v1 import design_pb2, job_pb2, status_service_pb2
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1 import sticker_spec_pb2 as spec_pb

TITLE_CHARACTERS: Final = 200
"""Most that a title may have: file names, which stand in for it, may be longer."""

Spec = StickerSpec | spec_pb.StickerSpec
LaneName = Literal["EXPRESS", "STANDARD", "BULK"]

# The stubs type each wire enum as a class of its own; what they share is Value and keys.
_WireEnum = Any


class PageRequest(Protocol):
    """Asks for a page of a list."""

    page_token: str


class Page(Protocol):
    """A page of a list."""

    @property
    @abstractmethod
    def next_page_token(self) -> str:
        """Names the next page; empty at the end."""


class Submission:
    """One submit: two calls that belong together, and are made again with the same ids.

    Args:
        spec: The sticker wanted.
        fields: Its fields, instead.
        request_id: UUID of the submit; empty makes one. The upload's follows from it, so that a submit that is
            repeated after a crash finds its upload again.

    Raises:
        TypeError: A spec is given with fields too, a field does not exist, or a value is of another type than it.
        ValueError: A choice has no such name.
    """

    def __init__(self, spec: Spec | None, fields: Mapping[str, Any], *, request_id: str) -> None:
        self._spec = wire_spec(spec, fields)
        self._request_id = _text("request_id", request_id) or str(uuid4())

    def upload(self, source: ArtworkSource) -> pb.CreateUploadRequest:
        """Asks for a place to put the artwork."""
        return pb.CreateUploadRequest(
            filename=source.filename,
            media_type=source.media_type,
            size_bytes=source.size_bytes,
            sha256=source.sha256,
            request_id=str(uuid5(NAMESPACE_OID, f"upload of {self._request_id}")),
        )

    def submit(
        self,
        upload: pb.Upload,
        *,
        title: str,
        labels: Mapping[str, str] | None,
        reference: str,
        job: job_pb2.JobOptions | None,
    ) -> pb.SubmitDesignRequest:
        """Asks for a design of the artwork that was put there."""
        return pb.SubmitDesignRequest(
            upload_id=upload.id,
            spec=self._spec,
            title=_text("title", title),
            labels={_text("labels", key): _text(f"labels[{key}]", value) for key, value in (labels or {}).items()},
            reference=_text("reference", reference),
            job=job,
            request_id=self._request_id,
        )


def job_options(
    *, lane: LaneName | None = None, max_attempts: int | None = None, not_before_time: datetime | None = None
) -> job_pb2.JobOptions:
    """How to run the work of a submit or reprocess; what is None is left to the service.

    Args:
        lane: How urgent it is.
        max_attempts: Attempts before it is given up, 1 to 20.
        not_before_time: When it may begin at the earliest; UTC where it names no zone.

    Raises:
        ValueError: There is no lane of such a name.
    """
    options = job_pb2.JobOptions(max_attempts=max_attempts)
    if lane is not None:
        options.lane = _value(job_pb2.Lane, "LANE_", lane, "lane")
    if not_before_time is not None:
        options.not_before_time.FromDatetime(not_before_time)
    return options


def get_design(design_id: str, *, timeline: bool) -> status_service_pb2.GetDesignRequest:
    """Asks for one design."""
    view = design_pb2.DESIGN_VIEW_FULL if timeline else design_pb2.DESIGN_VIEW_BASIC
    return status_service_pb2.GetDesignRequest(design_id=design_id, view=view)


def list_designs(
    *,
    states: Iterable[str],
    failure_reason: str,
    labels: Mapping[str, str] | None,
    reference: str,
    text: str,
    create_time_from: datetime | None,
    create_time_before: datetime | None,
    page_size: int,
) -> status_service_pb2.ListDesignsRequest:
    """Asks for the first page of a list of designs.

    Raises:
        ValueError: There is no state of such a name.
    """
    request = status_service_pb2.ListDesignsRequest(
        page_size=page_size,
        states=[_value(design_pb2.Design.State, "STATE_", state, "states") for state in states],
        failure_reason=failure_reason,
        labels=dict(labels or {}),
        reference=reference,
        text=text,
    )
    if create_time_from is not None:
        request.create_time_from.FromDatetime(create_time_from)
    if create_time_before is not None:
        request.create_time_before.FromDatetime(create_time_before)
    return request


def cancel_design(design_id: str, *, request_id: str) -> pb.CancelDesignRequest:
    """Asks to stop a design's unfinished work."""
    return pb.CancelDesignRequest(design_id=design_id, request_id=request_id or str(uuid4()))


def reprocess_design(
    design_id: str,
    spec: Spec | None,
    fields: Mapping[str, Any],
    *,
    job: job_pb2.JobOptions | None,
    request_id: str,
) -> pb.ReprocessDesignRequest:
    """Asks to run a design again.

    Raises:
        TypeError: A spec is given with fields too, or a field does not exist.
        ValueError: A choice has no such name.
    """
    return pb.ReprocessDesignRequest(
        design_id=design_id, spec=wire_spec(spec, fields), job=job, request_id=request_id or str(uuid4())
    )


def delete_design(design_id: str, *, request_id: str) -> pb.DeleteDesignRequest:
    """Asks to delete a design."""
    return pb.DeleteDesignRequest(design_id=design_id, request_id=request_id or str(uuid4()))


def _text(field: str, value: str) -> str:
    """The value, where it is text: what protobuf says of another does not name the field.

    Raises:
        TypeError: It is not.
    """
    if isinstance(value, str):
        return value
    message = f"{field}: {value!r} is no text"
    raise TypeError(message)


def _value(kind: _WireEnum, prefix: str, name: str, field: str) -> Any:
    """The number of a choice.

    Raises:
        ValueError: There is none of such a name.
    """
    known = [each.removeprefix(prefix) for each in kind.keys()[1:]]  # without what stands for no choice
    if name in known:
        return kind.Value(prefix + name)
    message = f"{field}: {name!r} is not one of {', '.join(known)}"
    raise ValueError(message)

"""The API without the SDK: stubs, bytes and HTTP, and every answer as a line of text that two servers can share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

import grpc
import httpx
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from cutline.v1 import design_pb2, ingest_service_pb2_grpc, status_service_pb2_grpc
from cutline.v1 import status_service_pb2 as status_pb

PATIENCE_S: Final = 60.0

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:\+00:00|Z)")


class RawApi:
    """Calls one server and writes down what it answers.

    Attributes:
        lines: The answers, with ids in the order in which they came up and without times.
    """

    def __init__(self, ingest_target: str, status_target: str, api_key: str) -> None:
        self._channels = [grpc.insecure_channel(target) for target in (ingest_target, status_target)]
        self.ingest = ingest_service_pb2_grpc.IngestServiceStub(self._channels[0])
        self.status = status_service_pb2_grpc.StatusServiceStub(self._channels[1])
        self.key = (("authorization", f"Bearer {api_key}"),)
        self.lines: list[str] = []
        self._names: dict[str, str] = {}

    def bytes_method(self, path: str) -> Any:
        """A method of the status service that takes and gives bytes."""
        return self._channels[1].unary_unary(path)

    def call(self, method: Any, request: Any, *, key: tuple[tuple[str, str], ...] | None = None) -> Any:
        """Makes a call and writes down the answer; None where it was refused."""
        name = type(request).__name__
        try:
            answer = method(request, metadata=self.key if key is None else key, timeout=PATIENCE_S)
        except grpc.RpcError as refused:
            self.write(f"{name}: {told(refused)}")
            return None
        self.write(f"{name}: {shown(answer)}")
        return answer

    def watch_to_end(self, design_id: str, *, after_revision: int = 0) -> design_pb2.Design | None:
        """Watches a design to the end of the stream, writes down how it ended, and gives the last revision."""
        request = status_pb.WatchDesignRequest(design_id=design_id, after_revision=after_revision)
        last, revisions, deleted = None, [], False
        try:
            for message in self.status.WatchDesign(request, metadata=self.key, timeout=PATIENCE_S):
                deleted = deleted or message.HasField("deleted")
                if message.HasField("design"):
                    last = message.design
                    revisions.append(last.revision)
        except grpc.RpcError as refused:
            self.write(f"watch: {told(refused)}")
            return None
        assert revisions == sorted(set(revisions))
        self.write(f"watch: ended OK deleted={deleted} {shown(last) if last else ''}")
        return last

    def first_events(self, resume_token: str) -> str:
        """Reads a watch of all designs up to its first heartbeat, writes it down, and gives the token to resume by."""
        request = status_pb.WatchDesignsRequest(resume_token=resume_token)
        stream: Iterator[status_pb.WatchDesignsResponse] = self.status.WatchDesigns(
            request, metadata=self.key, timeout=PATIENCE_S
        )
        told_of, token = [], ""
        try:
            for message in stream:
                token = message.resume_token
                kind = message.WhichOneof("event")
                if kind == "heartbeat":
                    break
                told_of.append(f"{kind} {shown(message.design) if kind == 'design' else message.deleted.design_id}")
        except grpc.RpcError as refused:
            self.write(f"watch all: {told(refused)}")
            return ""
        finally:
            stream.cancel()  # type: ignore[attr-defined]  # a stream is a call too
        # Their order is nobody's promise: what is rung during a catch-up is told behind it.
        self.write(f"watch all: {sorted(told_of, key=self._named)}")
        return token

    def transfer(self, method: str, url: str, **more: Any) -> None:
        """Puts or fetches a file by its address and writes down whether it was refused, and as whose fault."""
        status = httpx.request(method, url, trust_env=False, **more).status_code
        self.write(f"{method}: {'OK' if status == httpx.codes.OK else f'{status // 100}xx'}")

    def write(self, line: str) -> None:
        """Adds a line, with ids by number and without times."""
        self.lines.append(_TIME.sub("TIME", self._named(line)))

    def _named(self, line: str) -> str:
        return _UUID.sub(lambda match: self._names.setdefault(match[0], f"id-{len(self._names)}"), line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self._channels:
            channel.close()


def told(error: grpc.RpcError) -> str:
    """A refusal: code, message, reason, facts and fields at fault."""
    code, message = error.code(), error.details()
    pairs: Any = error.trailing_metadata() or ()
    details = dict(pairs).get("grpc-status-details-bin")
    if not isinstance(details, bytes):
        return f"{code.name} without details"
    parts = [code.name, str(message)]
    for detail in Status.FromString(details).details:
        match detail.TypeName():
            case "google.rpc.ErrorInfo":
                info = error_details_pb2.ErrorInfo.FromString(detail.value)
                # The id of the call itself differs from call to call.
                facts = {key: value for key, value in info.metadata.items() if key not in {"request_id", "trace_id"}}
                parts.append(f"{info.domain}/{info.reason} {dict(sorted(facts.items()))}")
            case "google.rpc.BadRequest":
                found = error_details_pb2.BadRequest.FromString(detail.value).field_violations
                parts.append(str([(each.field, each.description, each.reason) for each in found]))
            case kind:
                parts.append(kind)
    return " | ".join(parts)


def shown(message: Any) -> str:
    """What two servers must agree on of an answer."""
    match message:
        case design_pb2.Design():
            return _design(message)
        case status_pb.ListDesignsResponse():
            return f"{[design.title for design in message.designs]} more={bool(message.next_page_token)}"
    if type(message).__name__ == "SubmitDesignResponse":
        return f"deduplicated={message.deduplicated} {_design(message.design)}"
    if type(message).__name__ == "Upload":
        return f"{message.id} {sorted(message.headers.items())}"
    return str(message)


def _design(design: design_pb2.Design) -> str:
    state = design_pb2.Design.State.Name(design.state)
    facts = [design.id, design.tenant, design.title, state, f"generation {design.generation}"]
    facts.append(f"stage {design.stage}")
    if not design.HasField("geometry"):
        # Workers tell their progress, each time as a revision: only without any is the number the same.
        facts += [f"revision {design.revision}", f"progress {design.progress:g}"]
    facts += [f"finished {design.HasField('finish_time')}", f"failure {design.failure.reason}"]
    facts += [
        f"{artifact.kind} of {artifact.generation} {artifact.media_type} address {bool(artifact.url)}"
        for artifact in design.artifacts
    ]
    facts += [f"{mockup.scene} of {mockup.generation} address {bool(mockup.url)}" for mockup in design.mockups]
    facts += [f"labels {sorted(design.labels.items())}", f"reference {design.reference}", str(design.artwork)]
    facts += [f"spec {design.spec}", f"resolved {design.resolved_spec}"]
    facts += [
        f"{entry.event} {entry.state} {entry.stage} {entry.attempt} {entry.generation} worker {bool(entry.worker)}"
        for entry in design.timeline
    ]
    return " ; ".join(facts)

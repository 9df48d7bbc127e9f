"""The SDK against services that answer as told."""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import UUID

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from cutline.blobs.store import S3BlobStore
from cutline.client import (
    AsyncClient,
    ClientSettings,
    ConflictError,
    DesignDeletedError,
    DesignFailedError,
    DownloadError,
    InvalidArgumentError,
    NotFoundError,
    PreconditionError,
    ResourceExhaustedError,
    UnavailableError,
    UploadError,
    WaitTimeoutError,
)
from cutline.domain.errors import ConflictError as Conflict
from cutline.domain.errors import (
    FieldViolation,
    InvalidInputError,
    Reason,
)
from cutline.domain.errors import NotFoundError as NotFound
from cutline.domain.errors import PreconditionError as Precondition
from cutline.domain.errors import ResourceExhaustedError as Exhausted
from cutline.domain.errors import UnavailableError as Unavailable
from cutline.v1 import design_pb2, ingest_service_pb2
from cutline.v1 import status_service_pb2 as status_pb
from cutline.v1 import sticker_spec_pb2 as spec_pb
from tests.integration.client.conftest import ScriptedServices

PNG = b"\x89PNG\r\n\x1a\nnot quite a picture"
State = design_pb2.Design
AWAY = Unavailable(Reason.SHUTTING_DOWN, "Going away.", retry_after_s=0.001)
HEARTBEAT = status_pb.WatchDesignResponse(heartbeat=status_pb.Heartbeat())


def told(revision: int, state: design_pb2.Design.State.ValueType) -> status_pb.WatchDesignResponse:
    """A message of a watch."""
    return status_pb.WatchDesignResponse(design=design_pb2.Design(id="d", revision=revision, state=state))


def uploads_to(blobs: S3BlobStore, key: str, data: bytes) -> ingest_service_pb2.Upload:
    """An upload signed for exactly these bytes."""
    signed = blobs.presign_put(
        key, size_bytes=len(data), media_type="image/png", sha256=hashlib.sha256(data).hexdigest()
    )
    return ingest_service_pb2.Upload(id="u-1", url=signed.url, headers=signed.headers)


async def test_submit_puts_the_artwork_and_names_it(
    client: AsyncClient, scripted: ScriptedServices, blobs: S3BlobStore, tmp_path: Path, tenant: str
) -> None:
    """CreateUpload promises the very bytes, the store takes them, and SubmitDesign names the upload and the spec."""
    path = tmp_path / "fox.png"
    path.write_bytes(PNG)
    key = f"{tenant}/uploads/1"
    scripted.script["CreateUpload"] = [uploads_to(blobs, key, PNG)]
    scripted.script["SubmitDesign"] = [
        ingest_service_pb2.SubmitDesignResponse(
            design=design_pb2.Design(id="d", state=State.STATE_QUEUED), deduplicated=True
        )
    ]
    design = await client.designs.submit(path, width_mm=60, labels={"a": "b"}, reference="o-1")
    assert (design.id, design.state, design.deduplicated) == ("d", "QUEUED", True)
    assert await blobs.get(key) == PNG
    (upload,) = scripted.requests("CreateUpload")
    assert (upload.filename, upload.media_type, upload.size_bytes) == ("fox.png", "image/png", len(PNG))
    assert upload.sha256 == hashlib.sha256(PNG).hexdigest()
    (submit,) = scripted.requests("SubmitDesign")
    assert (submit.upload_id, submit.spec.width_mm, dict(submit.labels)) == ("u-1", 60, {"a": "b"})
    assert (submit.title, submit.reference) == ("fox.png", "o-1")
    assert UUID(submit.request_id) != UUID(upload.request_id)
    assert scripted.calls[0][2]["authorization"] == "Bearer ck_test"


async def test_a_store_that_refuses_the_bytes_is_an_upload_error(
    client: AsyncClient, scripted: ScriptedServices, blobs: S3BlobStore, tenant: str
) -> None:
    """Bytes other than those signed for are refused by the store itself, and nothing is submitted."""
    scripted.script["CreateUpload"] = [uploads_to(blobs, f"{tenant}/uploads/2", PNG[:-1] + b"!")]
    with pytest.raises(UploadError, match="HTTP 4") as caught:
        await client.designs.submit(PNG)
    assert not caught.value.retryable
    assert not scripted.requests("SubmitDesign")


async def test_a_repeated_call_keeps_its_request_id(client: AsyncClient, scripted: ScriptedServices) -> None:
    """While the service is unavailable the same request is sent again, so it can be done only once."""
    scripted.script["CancelDesign"] = [AWAY, AWAY, design_pb2.Design(id="d", state=State.STATE_CANCELLED)]
    assert (await client.designs.cancel("d")).state == State.STATE_CANCELLED
    requests = scripted.requests("CancelDesign")
    assert len(requests) == 3
    assert len({request.request_id for request in requests}) == 1


async def test_tries_end(client: AsyncClient, scripted: ScriptedServices) -> None:
    """After the last try the service's own error is raised."""
    scripted.script["DeleteDesign"] = [AWAY] * 4
    with pytest.raises(UnavailableError) as caught:
        await client.designs.delete("d")
    assert (caught.value.reason, caught.value.retry_after_s) == ("SHUTTING_DOWN", 0.001)
    assert len(scripted.requests("DeleteDesign")) == 4


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        (NotFound(Reason.DESIGN_NOT_FOUND, "No such design."), NotFoundError),
        (Conflict(Reason.REQUEST_ID_REUSED, "Used."), ConflictError),
        (Precondition(Reason.DESIGN_TERMINAL, "Ended."), PreconditionError),
    ],
)
async def test_a_refusal_is_typed_and_not_repeated(
    client: AsyncClient, scripted: ScriptedServices, refused: Exception, kind: type[Exception]
) -> None:
    """Each code has its own class, with reason, metadata and message from the details."""
    scripted.script["CancelDesign"] = [refused]
    with pytest.raises(kind) as caught:
        await client.designs.cancel("d")
    error = caught.value
    assert isinstance(error, NotFoundError | ConflictError | PreconditionError)
    assert error.reason == refused.reason.value  # type: ignore[attr-defined]  # every one above has a reason
    assert (error.request_id, error.trace_id) == ("r-1", "t-1")
    assert len(scripted.calls) == 1


async def test_field_violations_arrive_whole(client: AsyncClient, scripted: ScriptedServices) -> None:
    """Every field at fault is named with what is wrong."""
    scripted.script["ReprocessDesign"] = [
        InvalidInputError.of_fields(
            FieldViolation("spec.width_mm", "2 is not 5 to 1000 mm", "OUT_OF_RANGE"),
            FieldViolation("spec.border_color", "no"),
        )
    ]
    with pytest.raises(InvalidArgumentError) as caught:
        await client.designs.reprocess("d", width_mm=2)
    assert [(at.field, at.reason) for at in caught.value.violations] == [
        ("spec.width_mm", "OUT_OF_RANGE"),
        ("spec.border_color", "INVALID"),
    ]


async def test_a_full_backlog_is_tried_again_after_its_delay(client: AsyncClient, scripted: ScriptedServices) -> None:
    """RESOURCE_EXHAUSTED is repeated, and in the end carries the delay asked for."""
    full = Exhausted(Reason.BACKLOG_FULL, "Full.", retry_after_s=0.002)
    scripted.script["CancelDesign"] = [full] * 4
    with pytest.raises(ResourceExhaustedError) as caught:
        await client.designs.cancel("d")
    assert caught.value.retry_after_s == 0.002


async def test_what_is_refused_without_a_delay_is_sent_once(client: AsyncClient, scripted: ScriptedServices) -> None:
    """A message over the limit has the code of a cap, but names no delay: no other try could help, and none is made."""
    with pytest.raises(ResourceExhaustedError, match="larger than max") as caught:
        await client.designs.cancel("d" * 5_000_000)
    assert caught.value.retry_after_s is None

    scripted.script["CancelDesign"] = [grpc.StatusCode.RESOURCE_EXHAUSTED] * 4
    with pytest.raises(ResourceExhaustedError):
        await client.designs.cancel("d")
    assert len(scripted.requests("CancelDesign")) == 1


async def test_an_error_without_details_is_typed_all_the_same() -> None:
    """Nobody listening is UnavailableError, with no reason."""
    async with AsyncClient(ClientSettings("127.0.0.1:1", "127.0.0.1:1", "k"), max_retries=0) as client:
        with pytest.raises(UnavailableError) as caught:
            await client.designs.read("d")
    assert (caught.value.reason, caught.value.code) == ("", grpc.StatusCode.UNAVAILABLE)


async def test_a_watch_resumes_behind_the_last_revision(client: AsyncClient, scripted: ScriptedServices) -> None:
    """After UNAVAILABLE the watch is taken up with after_revision, and its caller notices nothing."""
    scripted.script["WatchDesign"] = [
        [HEARTBEAT, told(1, State.STATE_QUEUED), told(3, State.STATE_PROCESSING), AWAY],
        AWAY,
        [told(4, State.STATE_PROCESSING)],  # ends OK without an end of the design, as a proxy may do it
        [told(5, State.STATE_READY)],
    ]
    revisions = [design.revision async for design in client.designs.watch("d")]
    assert revisions == [1, 3, 4, 5]
    assert [request.after_revision for request in scripted.requests("WatchDesign")] == [0, 3, 3, 4]


async def test_a_watch_of_a_deleted_design_says_so(client: AsyncClient, scripted: ScriptedServices) -> None:
    """A deleted message becomes DesignDeletedError."""
    gone = status_pb.WatchDesignResponse(deleted=status_pb.DesignDeleted(design_id="d"))
    scripted.script["WatchDesign"] = [[told(1, State.STATE_QUEUED), gone]]
    with pytest.raises(DesignDeletedError):
        _ = [design async for design in client.designs.watch("d")]


async def test_a_watch_of_everything_resumes_by_token_and_drops_repeats(
    client: AsyncClient, scripted: ScriptedServices
) -> None:
    """The last token seen is sent again, and a revision told twice is given once."""

    def change(revision: int, token: str) -> status_pb.WatchDesignsResponse:
        return status_pb.WatchDesignsResponse(design=design_pb2.Design(id="d", revision=revision), resume_token=token)

    beat = status_pb.WatchDesignsResponse(heartbeat=status_pb.Heartbeat(), resume_token="t2")
    scripted.script["WatchDesigns"] = [[change(1, "t1"), beat, AWAY], [change(1, "t2"), change(2, "t2"), ...]]
    seen = []
    async for message in client.designs.watch_all():
        seen.append(message.design.revision)
        if len(seen) == 2:
            break
    assert seen == [1, 2]
    assert [request.resume_token for request in scripted.requests("WatchDesigns")] == ["", "t2"]


async def test_wait_raises_for_a_design_that_failed(client: AsyncClient, scripted: ScriptedServices) -> None:
    """A FAILED design is DesignFailedError with the reason in its message."""
    failed = design_pb2.Design(id="d", revision=2, state=State.STATE_FAILED)
    failed.failure.reason = "NO_SUBJECT"
    scripted.script["GetDesign"] = [design_pb2.Design(id="d", revision=1)]
    scripted.script["WatchDesign"] = [[status_pb.WatchDesignResponse(design=failed)]]
    design = await client.designs.get("d")
    with pytest.raises(DesignFailedError, match="NO_SUBJECT"):
        await design.wait()
    assert design.state == "FAILED"
    assert scripted.requests("WatchDesign")[0].after_revision == 1


async def test_wait_ends_in_time(client: AsyncClient, scripted: ScriptedServices) -> None:
    """A design that does not end is WaitTimeoutError, which is a TimeoutError."""
    scripted.script["WatchDesign"] = [[told(1, State.STATE_QUEUED), ...]]
    with pytest.raises(WaitTimeoutError, match=r"0\.05 s"):
        await client.designs.wait("d", timeout_s=0.05)


async def test_a_list_turns_its_pages_by_itself(client: AsyncClient, scripted: ScriptedServices) -> None:
    """All pages come as one sequence, with the same conditions and the token of the page before."""
    scripted.script["ListDesigns"] = [
        status_pb.ListDesignsResponse(designs=[design_pb2.Design(id="a")], next_page_token="p2"),
        status_pb.ListDesignsResponse(designs=[design_pb2.Design(id="b")]),
    ]
    found = [design.id async for design in client.designs.list(states=["READY"], text="fox", page_size=1)]
    assert found == ["a", "b"]
    requests = scripted.requests("ListDesigns")
    assert [request.page_token for request in requests] == ["", "p2"]
    assert {request.text for request in requests} == {"fox"}


async def test_download_compares_what_it_fetches(
    client: AsyncClient, scripted: ScriptedServices, blobs: S3BlobStore, tmp_path: Path, tenant: str
) -> None:
    """Files arrive under their names when their digests agree; other bytes are refused and leave no file."""
    data = b"<svg/>"
    await blobs.put(f"{tenant}/file", data, media_type="image/svg+xml")
    url = blobs.presign_get(f"{tenant}/file", file_name="x", media_type="image/svg+xml").url
    right = design_pb2.Design(id="d")
    right.artifacts.add(
        kind=spec_pb.OUTPUT_FORMAT_CUT_LINE_SVG,
        url=url,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    right.mockups.add(
        scene="laptop",
        media_type="image/jpeg",
        url=url,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    wrong = design_pb2.Design()
    wrong.CopyFrom(right)
    wrong.artifacts[0].sha256 = "0" * 64
    scripted.script["GetDesign"] = [right, wrong]
    paths = await client.designs.download("d", tmp_path / "right")
    assert sorted(path.name for path in paths) == ["cutline.svg", "mockup-laptop.jpg"]
    assert (tmp_path / "right" / "cutline.svg").read_bytes() == data
    with pytest.raises(DownloadError, match=r"cutline\.svg"):
        await client.designs.download("d", tmp_path / "wrong")
    assert not (tmp_path / "wrong" / "cutline.svg").exists()


async def test_a_call_carries_the_callers_trace(client: AsyncClient, scripted: ScriptedServices) -> None:
    """The traceparent in the metadata continues the trace the caller is in."""
    scripted.script["GetDesign"] = [design_pb2.Design(id="d")]
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("caller") as span:
        await client.designs.read("d")
    trace_id = trace.format_trace_id(span.get_span_context().trace_id)
    assert scripted.calls[0][2]["traceparent"].split("-")[1] == trace_id

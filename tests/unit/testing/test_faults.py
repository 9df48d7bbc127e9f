"""Calls and transfers fail when the test says so, and as the services would fail."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from cutline.client import (
    ApiError,
    Client,
    DownloadError,
    InvalidArgumentError,
    ResourceExhaustedError,
    UnavailableError,
    UploadError,
)
from cutline.testing import FakeServer
from cutline.v1 import ingest_service_pb2 as pb

PNG = b"\x89PNG\r\n\x1a\nnot quite a picture"
Code = grpc.StatusCode


def test_the_sdk_gets_over_a_fault_that_passes(server: FakeServer, client: Client) -> None:
    """Two refusals with a short delay are retried with the same request id, and the third try is accepted."""
    server.fail_next("SubmitDesign", Code.RESOURCE_EXHAUSTED, retry_after_s=0.001, times=2)
    client.designs.submit(PNG)
    requests = server.requests_of("SubmitDesign")

    assert len({request.request_id for request in requests}) == 1
    assert (len(requests), len(server.designs)) == (3, 1)


def test_a_lost_answer_is_not_done_twice(server: FakeServer, client: Client) -> None:
    """A submit whose answer was lost is repeated, and finds the design that the first try made."""
    server.fail_next("SubmitDesign", retry_after_s=0.001, after=True)
    design = client.designs.submit(PNG)

    assert len(server.requests_of("SubmitDesign")) == 2
    assert [each.id for each in server.designs] == [design.id]


def test_a_fault_carries_what_the_test_wrote(server: FakeServer) -> None:
    """Reason, message and delay arrive typed, the delay only where the code tells one."""
    with Client(server.settings, max_retries=0) as client:
        server.fail_next("GetDesign", reason="SHUTTING_DOWN", message="Going.", retry_after_s=7)
        with pytest.raises(UnavailableError, match=r"Going\.") as gone:
            client.designs.get("x")
        assert (gone.value.reason, gone.value.retry_after_s) == ("SHUTTING_DOWN", 7)
        server.fail_next("CancelDesign", Code.RESOURCE_EXHAUSTED)
        with pytest.raises(ResourceExhaustedError) as full:
            client.designs.cancel("x")
        assert (full.value.reason, full.value.retry_after_s) == ("TENANT_BACKLOG_FULL", 1)
        server.fail_next("ListDesigns", Code.INTERNAL)
        with pytest.raises(ApiError, match="INTERNAL"):
            list(client.designs.list())


def test_every_call_is_noted(server: FakeServer, client: Client) -> None:
    """Calls that were refused are among the requests, with their metadata."""
    with pytest.raises(InvalidArgumentError):
        client.designs.submit(PNG, width_mm=2)
    methods = [call.method for call in server.requests]

    assert methods == ["CreateUpload", "SubmitDesign"]
    assert isinstance(server.requests[1].request, pb.SubmitDesignRequest)
    assert server.requests[1].request.spec.width_mm == 2
    assert server.requests[1].metadata["authorization"] == f"Bearer {server.settings.api_key}"


def test_transfers_fail_by_their_status(server: FakeServer, client: Client, tmp_path: Path) -> None:
    """A store that is away for a moment is asked again; one that refuses is an error of the SDK."""
    server.fail_next("PUT", 503)
    design = client.designs.submit(PNG)
    server.fail_next("PUT", 403)
    with pytest.raises(UploadError, match="403"):
        client.designs.submit(PNG, reference="b")
    server.fail_next("GET", 404)
    with pytest.raises(DownloadError):
        design.download(tmp_path)
    assert len(design.download(tmp_path)) == 10


def test_a_fault_that_cannot_be_is_refused(server: FakeServer) -> None:
    """An unknown method, code or reason is a mistake of the test, told at once."""
    with pytest.raises(ValueError, match="method: 'Submit' is not one of"):
        server.fail_next("Submit")
    with pytest.raises(ValueError, match="reason: 'NO_IDEA'"):
        server.fail_next("SubmitDesign", reason="NO_IDEA")
    with pytest.raises(ValueError, match="code"):
        server.fail_next("SubmitDesign", Code.OK)
    with pytest.raises(ValueError, match="HTTP status"):
        server.fail_next("PUT", 200)
    with pytest.raises(ValueError, match="after"):
        server.fail_next("WatchDesign", after=True)
    with pytest.raises(ValueError, match="reason"):
        server.fail_next("PUT", 503, reason="SHUTTING_DOWN")
    with pytest.raises(ValueError, match="times"):
        server.fail_next("PUT", times=0)

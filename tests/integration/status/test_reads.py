"""GetDesign and ListDesigns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from cutline.domain.errors import Reason
from cutline.v1 import design_pb2
from cutline.v1 import status_service_pb2 as pb
from tests.integration.status.conftest import Stand
from tests.integration.status.streams import fields_at_fault, refusal

FULL = design_pb2.DESIGN_VIEW_FULL


async def titles(stand: Stand, tenant: str, **conditions: object) -> list[str]:
    """The titles of all pages of a list, two designs a page."""
    found: list[str] = []
    token = ""
    while True:
        request = pb.ListDesignsRequest(page_size=2, page_token=token, **conditions)  # type: ignore[arg-type]
        page = await stand.stub.ListDesigns(request, metadata=stand.metadata(tenant))
        assert len(page.designs) <= 2
        found += [design.title for design in page.designs]
        token = page.next_page_token
        if not token:
            return found


async def test_get_design_signs_its_files_and_tells_the_timeline_when_asked(stand: Stand, tenant: str) -> None:
    """BASIC has addresses and no timeline, FULL has both."""
    design_id = await stand.add_design(tenant)
    await stand.start_imaging(design_id)
    await stand.finish(design_id)
    basic = await stand.stub.GetDesign(pb.GetDesignRequest(design_id=str(design_id)), metadata=stand.metadata(tenant))
    assert all(artifact.url and artifact.HasField("url_expire_time") for artifact in basic.artifacts)
    assert not basic.timeline
    full = await stand.stub.GetDesign(
        pb.GetDesignRequest(design_id=str(design_id), view=FULL), metadata=stand.metadata(tenant)
    )
    assert [entry.event for entry in full.timeline] == ["submitted", "ready"]
    assert full.timeline[1].revision == full.revision == 3
    assert full.timeline[0].time.seconds > 0


async def test_a_reprocessed_design_keeps_the_files_of_its_last_success(stand: Stand, tenant: str) -> None:
    """State speaks of the newest generation, files of the one that made them."""
    design_id = await stand.add_design(tenant)
    await stand.start_imaging(design_id)
    await stand.finish(design_id)
    await stand.reprocess(design_id)
    design = await stand.stub.GetDesign(pb.GetDesignRequest(design_id=str(design_id)), metadata=stand.metadata(tenant))
    assert (design.state, design.generation) == (design_pb2.Design.STATE_QUEUED, 2)
    assert {artifact.generation for artifact in design.artifacts} == {1}


@pytest.mark.parametrize("design_id", ["", "x" * 500, "0192f0c1-2f3a-7c11-8000-00000000beef"])
async def test_an_unknown_design_is_not_found(stand: Stand, tenant: str, design_id: str) -> None:
    """GetDesign of nothing is NOT_FOUND with DESIGN_NOT_FOUND."""
    call = stand.stub.GetDesign(pb.GetDesignRequest(design_id=design_id), metadata=stand.metadata(tenant))
    code, info, _ = await refusal(call)
    assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, Reason.DESIGN_NOT_FOUND)


async def test_a_tenant_sees_its_own_designs_only(stand: Stand, tenant: str) -> None:
    """Neither GetDesign nor ListDesigns shows another tenant's design."""
    await stand.add_tenant("other")
    design_id = await stand.add_design(tenant)
    call = stand.stub.GetDesign(pb.GetDesignRequest(design_id=str(design_id)), metadata=stand.metadata("other"))
    code, _, _ = await refusal(call)
    assert code == grpc.StatusCode.NOT_FOUND
    assert await titles(stand, "other") == []
    assert await titles(stand, tenant) == ["Fox"]


async def test_pages_go_from_the_newest_to_the_oldest(stand: Stand, tenant: str) -> None:
    """Five designs in pages of two come once each, newest first, also while a new one is added."""
    for number in range(5):
        await stand.add_design(tenant, title=f"d{number}")
    assert await titles(stand, tenant) == ["d4", "d3", "d2", "d1", "d0"]
    first = await stand.stub.ListDesigns(pb.ListDesignsRequest(page_size=2), metadata=stand.metadata(tenant))
    await stand.add_design(tenant, title="later")
    second = await stand.stub.ListDesigns(
        pb.ListDesignsRequest(page_size=3, page_token=first.next_page_token), metadata=stand.metadata(tenant)
    )
    assert [design.title for design in second.designs] == ["d2", "d1", "d0"]
    assert not second.next_page_token


async def test_every_filter_holds_by_itself_and_together(stand: Stand, tenant: str) -> None:
    """States, labels, reference, text and times each leave out what does not fit."""
    now = datetime.now(UTC)
    await stand.add_design(tenant, title="100% Fox_y", labels='{"shop": "a", "size": "L"}', reference="o-1")
    bear = await stand.add_design(tenant, title="Bear", labels='{"shop": "b"}', filename="BÄR.png")
    await stand.add_design(tenant, title="old", create_time=now - timedelta(days=3))
    await stand.start_imaging(bear)
    earlier, later = Timestamp(), Timestamp()
    earlier.FromDatetime(now - timedelta(days=4))
    later.FromDatetime(now - timedelta(days=1))
    expected: list[tuple[dict[str, object], list[str]]] = [
        ({"states": [design_pb2.Design.STATE_PROCESSING]}, ["Bear"]),
        ({"states": [design_pb2.Design.STATE_READY]}, []),
        ({"labels": {"shop": "a"}}, ["100% Fox_y"]),
        ({"labels": {"shop": "a", "size": "M"}}, []),
        ({"reference": "o-1"}, ["100% Fox_y"]),
        ({"text": "fOx"}, ["old", "100% Fox_y"]),
        ({"text": "% fox_"}, ["100% Fox_y"]),
        ({"text": "bär"}, ["Bear"]),
        ({"text": "O-1"}, ["100% Fox_y"]),
        ({"create_time_from": later}, ["Bear", "100% Fox_y"]),
        ({"create_time_from": earlier, "create_time_before": later}, ["old"]),
        ({"text": "bear", "labels": {"shop": "a"}}, []),
    ]
    for conditions, found in expected:
        assert await titles(stand, tenant, **conditions) == found, conditions


async def test_designs_are_found_by_why_they_failed(stand: Stand, tenant: str) -> None:
    """The failure reason filters, and the failure is told."""
    design_id = await stand.add_design(tenant)
    await stand.add_design(tenant, title="fine")
    await stand.connection.execute(
        """UPDATE designs SET state = 'FAILED', failure_reason = 'NO_SUBJECT', failure_message = 'Nothing there.',
                  failure_stage = 'imaging' WHERE design_id = $1""",
        design_id,
    )
    page = await stand.stub.ListDesigns(
        pb.ListDesignsRequest(failure_reason="NO_SUBJECT"), metadata=stand.metadata(tenant)
    )
    (design,) = page.designs
    assert (design.failure.reason, design.failure.message) == ("NO_SUBJECT", "Nothing there.")
    assert design.failure.stage == design_pb2.STAGE_IMAGING


async def test_a_page_token_belongs_to_its_list(stand: Stand, tenant: str) -> None:
    """A token with other filters, of another tenant or made up is refused by name."""
    await stand.add_tenant("other")
    for owner in (tenant, "other"):
        for _ in range(2):
            await stand.add_design(owner)
    page = await stand.stub.ListDesigns(pb.ListDesignsRequest(page_size=1), metadata=stand.metadata(tenant))
    token = page.next_page_token
    for caller, request in [
        (tenant, pb.ListDesignsRequest(page_token=token, text="fox")),
        (tenant, pb.ListDesignsRequest(page_token="nonsense")),
        ("other", pb.ListDesignsRequest(page_token=token)),
    ]:
        code, info, details = await refusal(stand.stub.ListDesigns(request, metadata=stand.metadata(caller)))
        assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, Reason.PAGE_TOKEN_INVALID)
        assert fields_at_fault(details) == ["page_token"]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListDesignsRequest(page_size=-1), "page_size"),
        (pb.ListDesignsRequest(states=[design_pb2.Design.STATE_UNSPECIFIED]), "states"),
        (pb.ListDesignsRequest(states=[design_pb2.Design.State.ValueType(99)]), "states"),
        (pb.ListDesignsRequest(states=[design_pb2.Design.STATE_READY] * 33), "states"),
        (pb.ListDesignsRequest(labels={str(number): "" for number in range(33)}), "labels"),
        (pb.ListDesignsRequest(text="x" * 201), "text"),
        (pb.ListDesignsRequest(text="a\0b"), "text"),
        (pb.ListDesignsRequest(reference="\0"), "reference"),
        (pb.ListDesignsRequest(labels={"a": "\0"}), "labels"),
        (pb.ListDesignsRequest(create_time_from=Timestamp(seconds=10**15)), "create_time_from"),
    ],
)
async def test_a_bad_condition_is_refused_by_name(
    stand: Stand, tenant: str, request_: pb.ListDesignsRequest, field: str
) -> None:
    """INVALID_ARGUMENT names the field."""
    code, _, details = await refusal(stand.stub.ListDesigns(request_, metadata=stand.metadata(tenant)))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert fields_at_fault(details) == [field]


async def test_a_list_has_no_addresses(stand: Stand, tenant: str) -> None:
    """Listing signs nothing."""
    design_id = await stand.add_design(tenant)
    await stand.start_imaging(design_id)
    await stand.finish(design_id)
    page = await stand.stub.ListDesigns(pb.ListDesignsRequest(), metadata=stand.metadata(tenant))
    assert [artifact.url for artifact in page.designs[0].artifacts] == ["", ""]
    assert not stand.signed

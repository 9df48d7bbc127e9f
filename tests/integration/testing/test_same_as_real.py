"""The fake answers as the real services do, call by call, where the SDK would hide a difference."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta

import grpc
import pytest
from PIL import Image

from cutline.testing import Failed, FakeServer
from cutline.v1 import design_pb2, job_pb2
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1 import status_service_pb2 as status_pb
from cutline.v1 import sticker_spec_pb2 as spec_pb
from tests.integration.testing.raw_api import RawApi
from tests.integration.testing.requests import LATER, NOBODY, artwork, held, upload_of, uploaded, uuid_of
from tests.integration.testing.wandering import Wanderer

Design = design_pb2.Design
FULL = design_pb2.DESIGN_VIEW_FULL


def identify(api: RawApi) -> None:
    """Calls without a credential, with nobody's, and of no method."""
    request = status_pb.GetDesignRequest(design_id=NOBODY)
    api.call(api.status.GetDesign, request, key=())
    api.call(api.status.GetDesign, request, key=(("authorization", "Bearer ck_nobody_00000000000000000000"),))
    api.call(api.status.GetDesign, request, key=(("x-api-key", "nonsense"),))
    for path, body in (
        ("/cutline.v1.StatusService/GetDesign", b"\xff\xff"),
        ("/cutline.v1.StatusService/Nothing", b""),
        ("/cutline.v1.Nothing/Nothing", b""),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            api.bytes_method(path)(body, metadata=api.key)
        api.write(f"{path}: {refused.value.code()}")
    for service in ("", "cutline.v1.StatusService", "liveness", "nothing"):
        body = bytes([0x0A, len(service)]) + service.encode()
        try:
            api.write(f"health of {service!r}: {api.bytes_method('/grpc.health.v1.Health/Check')(body)!r}")
        except grpc.RpcError as unknown:
            api.write(f"health of {service!r}: {unknown.code()}")


def promise_uploads(api: RawApi) -> None:
    """Uploads that cannot be, and one that comes twice."""
    data = artwork("#e63946")
    for wrong in (
        {"media_type": "image/bmp"},
        {"size_bytes": 50_000_001},
        {"size_bytes": -1},
        {"sha256": "0" * 63, "filename": "x" * 256},
        {"filename": "a\0b"},
        {"request_id": "nonsense"},
    ):
        api.call(api.ingest.CreateUpload, upload_of(data, **wrong))
    first = api.call(api.ingest.CreateUpload, upload_of(data, request_id=uuid_of(1)))
    again = api.call(api.ingest.CreateUpload, upload_of(data, request_id=uuid_of(1)))
    assert first.id == again.id
    api.call(api.ingest.CreateUpload, upload_of(data, request_id=uuid_of(1), filename="other.png"))
    api.call(api.ingest.SubmitDesign, pb.SubmitDesignRequest(upload_id=first.id))
    api.transfer("PUT", first.url, content=data[:-1] + b"!", headers=dict(first.headers))
    api.transfer("PUT", first.url, content=data, headers={**first.headers, "Content-Type": "image/jpeg"})
    api.transfer("PUT", first.url + "x", content=data, headers=dict(first.headers))
    api.transfer("GET", first.url)
    api.call(api.ingest.SubmitDesign, pb.SubmitDesignRequest(upload_id=first.id))


def submit_wrongly(api: RawApi) -> None:
    """Submits that are refused, each for another reason."""
    upload_id = uploaded(api, artwork("#f4a261"))
    too_late = job_pb2.JobOptions()
    too_late.not_before_time.FromDatetime(LATER + timedelta(days=60))
    spec, job = spec_pb.StickerSpec, job_pb2.JobOptions
    for wrong in (
        {"upload_id": NOBODY},
        {"upload_id": "nonsense"},
        {"spec": spec(width_mm=4.9, border_color="red", printer_preset="none")},
        {"spec": spec(width_mm=8, border_mm=3)},
        {"spec": spec(mockups=spec_pb.MockupSelection(scenes=["moon"]))},
        {"spec": spec(output_formats=[spec_pb.OUTPUT_FORMAT_PRINT_PDF] * 33)},
        {"spec": spec(cut_type=99)},  # type: ignore[arg-type]  # a number of a later release
        {"title": "x" * 201, "reference": "y" * 201, "labels": {"UPPER": "v"}},
        {"labels": {f"k{number}": "v" for number in range(33)}},
        {"job": job(max_attempts=0)},
        {"job": job(lane=9)},  # type: ignore[arg-type]  # a number of a later release
        {"job": too_late},
        {"request_id": "nonsense"},
    ):
        fields = {"upload_id": upload_id, **wrong}
        api.call(api.ingest.SubmitDesign, pb.SubmitDesignRequest(**fields))  # type: ignore[arg-type]  # as above


def repeat_and_join(api: RawApi) -> str:
    """The same call twice, equal work, another body; the id of an unfinished design."""
    upload_id = uploaded(api, artwork("#2a9d8f"))

    def submit(number: int, **more: object) -> pb.SubmitDesignResponse | None:
        request = pb.SubmitDesignRequest(
            upload_id=upload_id,
            spec=spec_pb.StickerSpec(width_mm=50),
            title="held",
            labels={"shop": "one"},
            reference="o-1",
            job=held(),
            request_id=uuid_of(number),
        )
        request.MergeFrom(pb.SubmitDesignRequest(**more))  # type: ignore[arg-type]  # fields of the message
        answer: pb.SubmitDesignResponse | None = api.call(api.ingest.SubmitDesign, request)
        return answer

    first = submit(10)
    assert first is not None
    submit(10)
    submit(11, spec=spec_pb.StickerSpec(border_mm=3))
    submit(11, spec=spec_pb.StickerSpec(border_mm=3))
    submit(12, reference="o-2", title="other")
    submit(10, title="another body")
    return first.design.id


def read_and_watch(api: RawApi, design_id: str) -> None:
    """Reads, refused reads, and watches that cannot be."""
    for view in (design_pb2.DESIGN_VIEW_UNSPECIFIED, FULL):
        api.call(api.status.GetDesign, status_pb.GetDesignRequest(design_id=design_id, view=view))
    for unknown in (NOBODY, "nonsense", ""):
        api.call(api.status.GetDesign, status_pb.GetDesignRequest(design_id=unknown))
        api.watch_to_end(unknown)
    api.watch_to_end(design_id, after_revision=-1)


def list_designs(api: RawApi) -> None:
    """Pages and conditions."""
    first = api.call(api.status.ListDesigns, status_pb.ListDesignsRequest(page_size=1, reference="o-1"))
    page = status_pb.ListDesignsRequest(page_size=1, states=[Design.STATE_QUEUED, Design.STATE_CANCELLED])
    two = api.call(api.status.ListDesigns, page)
    page.page_token = two.next_page_token
    api.call(api.status.ListDesigns, page)
    page.states.append(Design.STATE_PROCESSING)
    api.call(api.status.ListDesigns, page)
    assert first is not None
    for conditions in (
        status_pb.ListDesignsRequest(labels={"shop": "one"}),
        status_pb.ListDesignsRequest(labels={"shop": "two"}),
        status_pb.ListDesignsRequest(text="OTHER"),
        status_pb.ListDesignsRequest(text="disc.PNG", states=[Design.STATE_QUEUED]),
        status_pb.ListDesignsRequest(failure_reason="NO_SUBJECT"),
        status_pb.ListDesignsRequest(page_size=-1),
        status_pb.ListDesignsRequest(page_token="nonsense"),
        status_pb.ListDesignsRequest(states=[Design.STATE_UNSPECIFIED]),
        status_pb.ListDesignsRequest(states=[77]),  # type: ignore[list-item]  # a number of a later release
        status_pb.ListDesignsRequest(text="x" * 201),
        status_pb.ListDesignsRequest(labels={f"k{number}": "v" for number in range(33)}),
    ):
        api.call(api.status.ListDesigns, conditions)


def cancel_and_run_again(api: RawApi, design_id: str) -> design_pb2.Design:
    """Cancels, reprocesses and runs a design to its end; the design as it then is."""
    cancel = pb.CancelDesignRequest(design_id=design_id, request_id=uuid_of(20))
    api.call(api.ingest.DeleteDesign, pb.DeleteDesignRequest(design_id=design_id))
    for _ in range(2):
        api.call(api.ingest.CancelDesign, cancel)
    api.call(api.ingest.CancelDesign, pb.CancelDesignRequest(design_id=design_id))
    api.call(api.ingest.CancelDesign, pb.CancelDesignRequest(design_id=NOBODY))
    api.watch_to_end(design_id, after_revision=99)
    wish = pb.ReprocessDesignRequest(design_id=design_id, job=held(), request_id=uuid_of(21))
    for _ in range(2):
        api.call(api.ingest.ReprocessDesign, wish)
    api.call(api.ingest.ReprocessDesign, pb.ReprocessDesignRequest(design_id=design_id, job=held()))
    api.call(api.ingest.ReprocessDesign, pb.ReprocessDesignRequest(design_id=NOBODY))
    wish = pb.ReprocessDesignRequest(design_id=design_id, spec=spec_pb.StickerSpec(width_mm=2))
    api.call(api.ingest.ReprocessDesign, wish)
    wish = pb.ReprocessDesignRequest(design_id=design_id, spec=spec_pb.StickerSpec(width_mm=40))
    api.call(api.ingest.ReprocessDesign, wish)
    ended = api.watch_to_end(design_id)
    assert ended is not None
    api.call(api.status.GetDesign, status_pb.GetDesignRequest(design_id=design_id, view=FULL))
    api.transfer("GET", ended.artifacts[0].url)
    api.transfer("PUT", ended.artifacts[0].url, content=b"x")
    again = pb.ReprocessDesignRequest(design_id=design_id, job=held())
    api.call(api.ingest.ReprocessDesign, again)
    api.call(api.ingest.CancelDesign, pb.CancelDesignRequest(design_id=design_id))
    return ended


def delete(api: RawApi, ended: design_pb2.Design) -> None:
    """Deletes a design, twice by the same call, and looks for what is left."""
    upload_id = uploaded(api, artwork("#8338ec"))
    others = [
        api.call(api.ingest.SubmitDesign, pb.SubmitDesignRequest(upload_id=upload_id, reference=name, job=held()))
        for name in ("a", "b", "c")
    ]
    token = api.first_events("")
    api.call(api.ingest.CancelDesign, pb.CancelDesignRequest(design_id=others[1].design.id))
    gone = pb.DeleteDesignRequest(design_id=ended.id, request_id=uuid_of(30))
    for _ in range(2):
        api.call(api.ingest.DeleteDesign, gone)
    api.call(api.ingest.DeleteDesign, pb.DeleteDesignRequest(design_id=ended.id))
    api.call(api.status.GetDesign, status_pb.GetDesignRequest(design_id=ended.id))
    api.call(api.ingest.CancelDesign, pb.CancelDesignRequest(design_id=ended.id))
    api.transfer("GET", ended.artifacts[0].url)
    for after_revision in (0, 1, 99):
        api.watch_to_end(ended.id, after_revision=after_revision)
    api.call(api.ingest.CancelDesign, pb.CancelDesignRequest(design_id=others[0].design.id))
    api.call(api.ingest.DeleteDesign, pb.DeleteDesignRequest(design_id=others[1].design.id))
    api.call(api.ingest.ReprocessDesign, pb.ReprocessDesignRequest(design_id=others[0].design.id, job=held()))
    api.first_events(api.first_events(token))
    api.first_events("")
    api.first_events("nonsense")


def everything(api: RawApi) -> list[str]:
    """Every step in turn; the answers."""
    identify(api)
    promise_uploads(api)
    submit_wrongly(api)
    design_id = repeat_and_join(api)
    read_and_watch(api, design_id)
    list_designs(api)
    delete(api, cancel_and_run_again(api, design_id))
    return api.lines


def fail(api: RawApi, data: bytes) -> None:
    """A design that fails, and what can be done with it."""
    request = pb.SubmitDesignRequest(upload_id=uploaded(api, data), title="bad")
    accepted: pb.SubmitDesignResponse = api.call(api.ingest.SubmitDesign, request)
    design_id = accepted.design.id
    ended = api.watch_to_end(design_id)
    assert ended is not None
    assert ended.failure.message
    api.call(api.status.GetDesign, status_pb.GetDesignRequest(design_id=design_id, view=FULL))
    api.call(api.status.ListDesigns, status_pb.ListDesignsRequest(failure_reason="NO_SUBJECT"))
    api.call(api.ingest.CancelDesign, pb.CancelDesignRequest(design_id=design_id))
    api.call(api.ingest.ReprocessDesign, pb.ReprocessDesignRequest(design_id=design_id, job=held()))
    api.call(api.ingest.DeleteDesign, pb.DeleteDesignRequest(design_id=design_id))
    api.call(api.ingest.CancelDesign, pb.CancelDesignRequest(design_id=design_id))
    api.call(api.ingest.DeleteDesign, pb.DeleteDesignRequest(design_id=design_id))


async def test_the_fake_answers_as_the_real_services_do(real: RawApi, fake: RawApi) -> None:
    """The same calls get the same codes, reasons, words, fields, states and timelines from both."""
    expected = await asyncio.to_thread(everything, real)
    answered = await asyncio.to_thread(everything, fake)

    assert answered == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_fake_follows_wherever_calls_wander(real: RawApi, fake: RawApi, seed: int) -> None:
    """Two hundred calls in any order, repeats of request ids and resumed watches among them, are answered alike."""
    expected = await asyncio.to_thread(Wanderer(real, seed).wander)
    answered = await asyncio.to_thread(Wanderer(fake, seed).wander)

    assert answered == expected


async def test_a_failure_is_told_alike(real: RawApi, fake: RawApi, fake_server: FakeServer) -> None:
    """A scripted failure looks as a real one does: state, stage, timeline, and what may follow."""
    file = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(file, "PNG")
    fake_server.script(Failed("NO_SUBJECT"))
    await asyncio.to_thread(fail, real, file.getvalue())
    await asyncio.to_thread(fail, fake, file.getvalue())

    assert fake.lines == real.lines

"""Calls, their tries and their errors, against services that answer as told."""

from __future__ import annotations

import asyncio
import pickle

import grpc
import pytest

from cutline.client import (
    ApiError,
    AsyncClient,
    ClientSettings,
    DeadlineExceededError,
    InvalidArgumentError,
    UnavailableError,
)
from cutline.domain.errors import (
    CutlineError,
    FieldViolation,
    InvalidInputError,
    Reason,
)
from cutline.domain.errors import UnavailableError as Unavailable
from cutline.v1 import design_pb2
from tests.integration.client.conftest import ScriptedServices
from tests.support.sdk_clients import sdk_client

DESIGN = design_pb2.Design(id="d")


async def test_a_service_that_hangs_leaves_time_for_another_try(
    services: tuple[ScriptedServices, str], sdk_kind: str
) -> None:
    """A try takes half of the budget while others are left, and a later one still gets its answer."""
    scripted, target = services
    scripted.script["GetDesign"] = [..., DESIGN]
    async with sdk_client(sdk_kind, ClientSettings(target, target, "k"), timeout_s=6) as client:
        assert (await client.designs.read("d")).id == "d"
    assert len(scripted.requests("GetDesign")) == 2


async def test_all_tries_share_one_budget(services: tuple[ScriptedServices, str], sdk_kind: str) -> None:
    """However many tries are allowed, a call ends when its time is over, with the code of the last try."""
    scripted, target = services
    scripted.script["GetDesign"] = [...] * 10
    async with sdk_client(sdk_kind, ClientSettings(target, target, "k"), timeout_s=1.2, max_retries=9) as client:
        with pytest.raises(DeadlineExceededError):
            await client.designs.read("d")
    assert len(scripted.requests("GetDesign")) < 10


async def test_no_try_begins_that_would_come_too_late(services: tuple[ScriptedServices, str], sdk_kind: str) -> None:
    """A delay that is longer than the budget is told at once, for the caller to wait or not."""
    scripted, target = services
    scripted.script["GetDesign"] = [Unavailable(Reason.SHUTTING_DOWN, "Later.", retry_after_s=3600)]
    async with sdk_client(sdk_kind, ClientSettings(target, target, "k")) as client:
        with pytest.raises(UnavailableError) as caught:
            await client.designs.read("d")
    assert caught.value.retry_after_s == 3600


async def test_an_error_is_one_line_and_survives_a_process_boundary(
    client: AsyncClient, scripted: ScriptedServices
) -> None:
    """All fields at fault and no line break are in its text, and pickling loses nothing."""
    scripted.script["ReprocessDesign"] = [
        InvalidInputError.of_fields(
            FieldViolation("spec.width_mm", "2 is not 5 to 1000 mm", "OUT_OF_RANGE"),
            FieldViolation("spec.border_color", "no\ncolor"),
        )
    ]
    with pytest.raises(InvalidArgumentError) as caught:
        await client.designs.reprocess("d", width_mm=2)
    error = caught.value
    assert str(error) == "INVALID_ARGUMENT: spec.width_mm: 2 is not 5 to 1000 mm; spec.border_color: no color"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  (made here)
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


async def test_a_fault_of_the_service_shows_its_trace(client: AsyncClient, scripted: ScriptedServices) -> None:
    """Where only the logs can help, the line says what to look for in them."""
    scripted.script["GetDesign"] = [CutlineError(Reason.INTERNAL, "Something went wrong.")]
    with pytest.raises(ApiError, match=r"^INTERNAL: Something went wrong\. \[trace t-1\]$") as caught:
        await client.designs.read("d")
    assert (caught.value.code, caught.value.trace_id, caught.value.request_id) == (
        grpc.StatusCode.INTERNAL,
        "t-1",
        "r-1",
    )


async def test_nobody_there_is_told_with_the_address(sdk_kind: str) -> None:
    """A service that cannot be reached is named, in one line."""
    async with sdk_client(sdk_kind, ClientSettings("127.0.0.1:1", "127.0.0.1:1", "k"), max_retries=0) as client:
        with pytest.raises(UnavailableError, match=r"^The service at 127\.0\.0\.1:1 cannot be reached: .*$"):
            await client.designs.read("d")


async def test_a_token_is_asked_for_at_each_try(services: tuple[ScriptedServices, str], sdk_kind: str) -> None:
    """A token that expires between two tries is replaced: what gives tokens is asked before each."""
    scripted, target = services
    tokens = iter(["first", "second"])
    scripted.script["GetDesign"] = [Unavailable(Reason.SHUTTING_DOWN, "Later.", retry_after_s=0.001), DESIGN]
    settings = ClientSettings(target, target, token=lambda: next(tokens))
    async with sdk_client(sdk_kind, settings) as client:
        await client.designs.read("d")
    sent = [metadata["authorization"] for _, _, metadata in scripted.calls]
    assert sent == ["Bearer first", "Bearer second"]


async def test_one_client_serves_many_at_once(client: AsyncClient, scripted: ScriptedServices) -> None:
    """Forty calls at a time, in tasks or in threads, each get their own answer."""
    scripted.script["GetDesign"] = [lambda request: design_pb2.Design(id=request.design_id)] * 40
    wanted = [f"d-{number}" for number in range(40)]
    found = await asyncio.gather(*(client.designs.read(design_id) for design_id in wanted))
    assert [design.id for design in found] == wanted

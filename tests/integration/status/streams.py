"""Reading streams in tests."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

PATIENCE_S = 20


async def next_of(watch: Any) -> Any:
    """The next message of a stream; a silent one fails the test and does not hang it."""
    async with asyncio.timeout(PATIENCE_S):
        return await watch.read()


async def refusal(call: Any) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo, list[Any]]:
    """What a stream or a call ended with: its code, its ErrorInfo and its further details."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (next_of(call) if hasattr(call, "read") else call)
    trailers = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return caught.value.code(), info, list(status.details[1:])


def fields_at_fault(details: list[Any]) -> list[str]:
    """The fields that a BadRequest names."""
    bad = error_details_pb2.BadRequest()
    assert details[0].Unpack(bad)
    return [violation.field for violation in bad.field_violations]

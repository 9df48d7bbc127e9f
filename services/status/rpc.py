"""StatusService on the wire: requests in, designs out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from cutline.contract.design_lists import read_design_filter
from cutline.contract.designs import SignFile, design_to_wire
from cutline.contract.fields import read_page_size, refuse
from cutline.contract.tokens import decode_page_token, decode_resume_token, encode_page_token
from cutline.domain.errors import Reason
from cutline.domain.ids import parse_id
from cutline.domain.refusals import design_not_found
from cutline.rpc.call import current_principal
from cutline.store.design_reads import Queryable, list_designs, read_design
from cutline.v1 import design_pb2, status_service_pb2_grpc
from cutline.v1 import status_service_pb2 as pb
from services.status.design_stream import design_messages
from services.status.frames import FrameMaker
from services.status.hub import Hub
from services.status.lifetime import Lifetime
from services.status.tenant_stream import TenantStream

SERVICE: Final = "cutline.v1.StatusService"
# Clients refuse messages over 4 MiB unless told otherwise; a page of long designs is cut short of that.
MAX_PAGE_BYTES: Final = 3_000_000

Context = grpc.aio.ServicerContext[Any, Any]


class StatusServicer(status_service_pb2_grpc.StatusServiceServicer):
    """Answers for the tenant of the calling principal and for no other.

    Args:
        database: Where designs are read.
        hub: Whom watches are registered with.
        frames: Makes what a tenant's watch is told while it catches up.
        sign: Signs the address of a file.
        heartbeat_s: Longest silence of a watch.
        max_age_s: Greatest age of a watch.
    """

    def __init__(
        self,
        database: Queryable,
        hub: Hub,
        frames: FrameMaker,
        *,
        sign: SignFile,
        heartbeat_s: float,
        max_age_s: float,
    ) -> None:
        self._database = database
        self._hub = hub
        self._frames = frames
        self._sign = sign
        self._heartbeat_s = heartbeat_s
        self._max_age_s = max_age_s

    async def GetDesign(self, request: pb.GetDesignRequest, context: Context) -> design_pb2.Design:  # noqa: N802, ARG002  (the contract's names)
        """Returns a design, with signed addresses of its files."""
        tenant = current_principal().tenant
        design_id = parse_id(request.design_id, kind="design", reason=Reason.DESIGN_NOT_FOUND)
        timeline = request.view == design_pb2.DESIGN_VIEW_FULL
        row = await read_design(self._database, tenant, design_id, timeline=timeline)
        if row is None:
            raise design_not_found(design_id)
        return design_to_wire(row, sign=self._sign)

    async def ListDesigns(self, request: pb.ListDesignsRequest, context: Context) -> pb.ListDesignsResponse:  # noqa: N802, ARG002  (as above)
        """Returns a page of designs, newest first."""
        tenant = current_principal().tenant
        conditions, size = read_design_filter(request), read_page_size(request.page_size)
        before = decode_page_token(request.page_token, tenant=tenant, conditions=conditions)
        rows = await list_designs(self._database, tenant, conditions, before=before, limit=size + 1)
        page = pb.ListDesignsResponse()
        room_bytes = MAX_PAGE_BYTES
        for row in rows[:size]:
            design = design_to_wire(row)
            room_bytes -= design.ByteSize()
            if room_bytes < 0 and page.designs:
                break
            page.designs.append(design)
        if len(page.designs) < len(rows):
            last = rows[len(page.designs) - 1].design_id
            page.next_page_token = encode_page_token(last, tenant=tenant, conditions=conditions)
        return page

    async def WatchDesign(self, request: pb.WatchDesignRequest, context: Context) -> AsyncGenerator[bytes, None]:  # type: ignore[override]  # noqa: N802, ARG002  (as above)
        """Sends a design as it is, then each newer revision, to the end of its newest generation."""
        tenant = current_principal().tenant
        design_id = parse_id(request.design_id, kind="design", reason=Reason.DESIGN_NOT_FOUND)
        if request.after_revision < 0:
            refuse("after_revision", f"{request.after_revision} is not 0 or more", "OUT_OF_RANGE")
        with self._hub.watch_design(tenant, design_id, after_revision=request.after_revision) as watch:
            stream = design_messages(
                watch,
                after_revision=request.after_revision,
                heartbeat_s=self._heartbeat_s,
                lifetime=Lifetime(self._max_age_s),
            )
            async with aclosing(stream) as messages:
                async for message in messages:
                    yield message

    async def WatchDesigns(self, request: pb.WatchDesignsRequest, context: Context) -> AsyncGenerator[bytes, None]:  # type: ignore[override]  # noqa: N802, ARG002  (as above)
        """Sends the unfinished designs, or what changed since the token, and then every change."""
        tenant = current_principal().tenant
        point = decode_resume_token(request.resume_token, tenant=tenant)
        with self._hub.watch_tenant(tenant) as watch:
            stream = TenantStream(
                self._database,
                self._hub,
                self._frames,
                tenant=tenant,
                watch=watch,
                point=point,
                heartbeat_s=self._heartbeat_s,
                lifetime=Lifetime(self._max_age_s),
            )
            async with aclosing(stream.messages()) as messages:
                async for message in messages:
                    yield message


def add_status_service(servicer: StatusServicer, server: Any) -> None:
    """Adds the servicer to a server, as generated code would but for the watches: their messages are bytes already."""

    def unary(method: Callable[..., Any], request: type[Message]) -> grpc.RpcMethodHandler[Any, Any]:
        return grpc.unary_unary_rpc_method_handler(
            method, request_deserializer=request.FromString, response_serializer=_serialised
        )

    def stream(method: Callable[..., Any], request: type[Message]) -> grpc.RpcMethodHandler[Any, Any]:
        return grpc.unary_stream_rpc_method_handler(
            method, request_deserializer=request.FromString, response_serializer=bytes
        )

    handlers = {
        "GetDesign": unary(servicer.GetDesign, pb.GetDesignRequest),
        "ListDesigns": unary(servicer.ListDesigns, pb.ListDesignsRequest),
        "WatchDesign": stream(servicer.WatchDesign, pb.WatchDesignRequest),
        "WatchDesigns": stream(servicer.WatchDesigns, pb.WatchDesignsRequest),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_registered_method_handlers(SERVICE, handlers)


def _serialised(message: Message) -> bytes:
    return message.SerializeToString()

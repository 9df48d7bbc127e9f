"""The services of the fake on the wire: requests in, answers out; the store does the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import grpc

from cutline.contract.design_lists import read_design_filter
from cutline.contract.fields import read_page_size, refuse
from cutline.contract.submits import read_call, read_job, read_spec, read_submit, read_upload
from cutline.contract.tokens import decode_page_token, decode_resume_token, encode_page_token
from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import Reason
from cutline.domain.ids import parse_id
from cutline.domain.principal import Principal
from cutline.testing.addresses import UPLOAD_EXPIRES_S, Addresses
from cutline.testing.calls import Guard, unimplemented
from cutline.testing.lists import matches
from cutline.testing.store import Store
from cutline.testing.watches import DesignWatch, TenantWatch
from cutline.v1 import design_pb2, queue_service_pb2
from cutline.v1 import ingest_service_pb2 as ingest_pb
from cutline.v1 import status_service_pb2 as status_pb

# Clients refuse messages over 4 MiB unless told otherwise; a page of long designs is cut short of that.
MAX_PAGE_BYTES: Final = 3_000_000


class Ingest:
    """Answers the calls of IngestService."""

    def __init__(self, store: Store, addresses: Addresses, limits: ArtworkLimits) -> None:
        self._store = store
        self._addresses = addresses
        self._limits = limits

    def add_to(self, server: grpc.Server, guard: Guard) -> None:
        """Serves every method."""
        methods: dict[str, Any] = {
            "CreateUpload": (ingest_pb.CreateUploadRequest, self._create_upload),
            "SubmitDesign": (ingest_pb.SubmitDesignRequest, self._submit_design),
            "ReprocessDesign": (ingest_pb.ReprocessDesignRequest, self._reprocess_design),
            "CancelDesign": (ingest_pb.CancelDesignRequest, self._cancel_design),
            "DeleteDesign": (ingest_pb.DeleteDesignRequest, self._delete_design),
        }
        server.add_generic_rpc_handlers((guard.handlers("cutline.v1.IngestService", methods, {}),))

    def _create_upload(self, principal: Principal, request: ingest_pb.CreateUploadRequest) -> ingest_pb.Upload:
        upload = self._store.create_upload(read_upload(principal.tenant, request, self._limits))
        address = self._addresses.sign("PUT", upload.path, expires_s=UPLOAD_EXPIRES_S, headers=upload.headers)
        answer = ingest_pb.Upload(id=str(upload.upload_id), url=address.url, headers=upload.headers)
        answer.url_expire_time.FromDatetime(address.expire_time)
        answer.expire_time.FromDatetime(upload.expire_time)
        return answer

    def _submit_design(
        self, principal: Principal, request: ingest_pb.SubmitDesignRequest
    ) -> ingest_pb.SubmitDesignResponse:
        wish = read_submit(principal.tenant, request, now=datetime.now(UTC))
        design, deduplicated = self._store.submit(wish)
        return ingest_pb.SubmitDesignResponse(design=design, deduplicated=deduplicated)

    def _reprocess_design(
        self, principal: Principal, request: ingest_pb.ReprocessDesignRequest
    ) -> ingest_pb.SubmitDesignResponse:
        call = read_call(principal.tenant, "ReprocessDesign", request)
        spec = read_spec(request.spec) if request.HasField("spec") else None
        job = read_job(request.job, now=datetime.now(UTC))
        design, deduplicated = self._store.reprocess(call, _design_id(request.design_id), spec, job)
        return ingest_pb.SubmitDesignResponse(design=design, deduplicated=deduplicated)

    def _cancel_design(self, principal: Principal, request: ingest_pb.CancelDesignRequest) -> design_pb2.Design:
        call = read_call(principal.tenant, "CancelDesign", request)
        return self._store.cancel(call, _design_id(request.design_id))

    def _delete_design(
        self, principal: Principal, request: ingest_pb.DeleteDesignRequest
    ) -> ingest_pb.DeleteDesignResponse:
        call = read_call(principal.tenant, "DeleteDesign", request)
        self._store.delete(call, _design_id(request.design_id))
        return ingest_pb.DeleteDesignResponse()


class Status:
    """Answers the calls of StatusService; a watch says something at least every `heartbeat_s`."""

    def __init__(self, store: Store, *, heartbeat_s: float) -> None:
        self._store = store
        self._heartbeat_s = heartbeat_s

    def add_to(self, server: grpc.Server, guard: Guard) -> None:
        """Serves every method."""
        methods: dict[str, Any] = {
            "GetDesign": (status_pb.GetDesignRequest, self._get_design),
            "ListDesigns": (status_pb.ListDesignsRequest, self._list_designs),
        }
        streams = {
            "WatchDesign": (status_pb.WatchDesignRequest, self._watch_design),
            "WatchDesigns": (status_pb.WatchDesignsRequest, self._watch_designs),
        }
        server.add_generic_rpc_handlers((guard.handlers("cutline.v1.StatusService", methods, streams),))

    def _get_design(self, principal: Principal, request: status_pb.GetDesignRequest) -> design_pb2.Design:
        timeline = request.view == design_pb2.DESIGN_VIEW_FULL
        return self._store.read(principal.tenant, _design_id(request.design_id), timeline=timeline)

    def _list_designs(
        self, principal: Principal, request: status_pb.ListDesignsRequest
    ) -> status_pb.ListDesignsResponse:
        tenant = principal.tenant
        conditions, size = read_design_filter(request), read_page_size(request.page_size)
        before = decode_page_token(request.page_token, tenant=tenant, conditions=conditions)
        found = [
            design
            for design in self._store.newest_first(tenant)
            if (before is None or UUID(design.id) < before) and matches(design, conditions)
        ]
        page, room_bytes = status_pb.ListDesignsResponse(), MAX_PAGE_BYTES
        for design in found[:size]:
            room_bytes -= design.ByteSize()
            if room_bytes < 0 and page.designs:
                break
            page.designs.append(design)
        if len(page.designs) < len(found):
            last = UUID(page.designs[-1].id)
            page.next_page_token = encode_page_token(last, tenant=tenant, conditions=conditions)
        return page

    def _watch_design(
        self, principal: Principal, request: status_pb.WatchDesignRequest, context: grpc.ServicerContext
    ) -> Iterator[status_pb.WatchDesignResponse]:
        design_id = _design_id(request.design_id)
        if request.after_revision < 0:
            refuse("after_revision", f"{request.after_revision} is not 0 or more", "OUT_OF_RANGE")
        watch = self._store.watch_design(principal.tenant, design_id, after_revision=request.after_revision)
        yield from self._messages(watch, context)

    def _watch_designs(
        self, principal: Principal, request: status_pb.WatchDesignsRequest, context: grpc.ServicerContext
    ) -> Iterator[status_pb.WatchDesignsResponse]:
        point = decode_resume_token(request.resume_token, tenant=principal.tenant)
        yield from self._messages(self._store.watch_tenant(principal.tenant, point), context)

    def _messages(self, watch: DesignWatch | TenantWatch, context: grpc.ServicerContext) -> Iterator[Any]:
        """What a watch has to tell, to its end or its caller's."""
        lock = self._store.lock

        def caller_left() -> None:
            with lock:
                watch.over = True
                lock.notify_all()

        try:
            if not context.add_callback(caller_left):
                return
            while not watch.over:
                with lock:
                    lock.wait_for(lambda: watch.ready or watch.over, self._heartbeat_s)
                    if watch.over:
                        return
                    message = watch.take() if watch.ready else watch.heartbeat()
                yield message
        finally:
            self._store.unwatch(watch)


class Queue:
    """Refuses the calls of QueueService: the fake has no queues."""

    def add_to(self, server: grpc.Server, guard: Guard) -> None:
        """Serves every method with UNIMPLEMENTED, for those who may call it at all."""
        service = queue_service_pb2.DESCRIPTOR.services_by_name["QueueService"]
        methods: dict[str, Any] = {}
        streams: dict[str, Any] = {}
        for method in service.methods:
            request = getattr(queue_service_pb2, method.input_type.name)
            group = streams if method.server_streaming else methods
            group[method.name] = (request, unimplemented)
        server.add_generic_rpc_handlers((guard.handlers(service.full_name, methods, streams),))


def _design_id(text: str) -> UUID:
    return parse_id(text, kind="design", reason=Reason.DESIGN_NOT_FOUND)

"""IngestService on the wire: requests in, answers out; the handler does the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from cutline.contract.designs import design_to_wire, timestamp
from cutline.contract.fresh_designs import fresh_design_to_wire
from cutline.contract.submits import read_call, read_job, read_spec, read_submit, read_upload
from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import Reason
from cutline.domain.ids import parse_id
from cutline.rpc.call import current_principal
from cutline.v1 import design_pb2
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1.ingest_service_pb2_grpc import IngestServiceServicer
from services.ingest.handler import FreshDesign, IngestHandler, KnownDesign

INGEST_SERVICE: Final = "cutline.v1.IngestService"


class IngestServicer(IngestServiceServicer):
    """Answers for the tenant of the calling principal and for no other."""

    def __init__(self, handler: IngestHandler, limits: ArtworkLimits) -> None:
        self._handler = handler
        self._limits = limits

    async def CreateUpload(self, request: pb.CreateUploadRequest, _context: Any) -> pb.Upload:  # noqa: N802
        """Reserves an upload and signs its PUT."""
        wish = read_upload(current_principal().tenant, request, self._limits)
        promised = await self._handler.create_upload(wish)
        row, signed = promised.row, promised.signed
        return pb.Upload(
            id=str(row.upload_id),
            url=signed.url,
            headers=signed.headers,
            url_expire_time=timestamp(signed.expire_time),
            expire_time=timestamp(row.expire_time),
        )

    async def SubmitDesign(self, request: pb.SubmitDesignRequest, _context: Any) -> pb.SubmitDesignResponse:  # noqa: N802
        """Accepts a design."""
        wish = read_submit(current_principal().tenant, request, now=datetime.now(UTC))
        answer = await self._handler.submit_design(wish)
        if isinstance(answer, FreshDesign):
            design = fresh_design_to_wire(
                wish, answer.row, sha256_hex=answer.sha256_hex, create_time=answer.create_time
            )
            return pb.SubmitDesignResponse(design=design)
        return _known_to_wire(answer)

    async def ReprocessDesign(  # noqa: N802
        self, request: pb.ReprocessDesignRequest, _context: Any
    ) -> pb.SubmitDesignResponse:
        """Starts the next generation of a design."""
        call = read_call(current_principal().tenant, "ReprocessDesign", request)
        spec = read_spec(request.spec) if request.HasField("spec") else None
        job = read_job(request.job, now=datetime.now(UTC))
        return _known_to_wire(await self._handler.reprocess_design(call, _design_id(request.design_id), spec, job))

    async def CancelDesign(self, request: pb.CancelDesignRequest, _context: Any) -> design_pb2.Design:  # noqa: N802
        """Stops a design's unfinished work."""
        call = read_call(current_principal().tenant, "CancelDesign", request)
        return design_to_wire(await self._handler.cancel_design(call, _design_id(request.design_id)))

    async def DeleteDesign(self, request: pb.DeleteDesignRequest, _context: Any) -> pb.DeleteDesignResponse:  # noqa: N802
        """Deletes a design."""
        call = read_call(current_principal().tenant, "DeleteDesign", request)
        await self._handler.delete_design(call, _design_id(request.design_id))
        return pb.DeleteDesignResponse()


def _known_to_wire(known: KnownDesign) -> pb.SubmitDesignResponse:
    return pb.SubmitDesignResponse(design=design_to_wire(known.row), deduplicated=known.deduplicated)


def _design_id(text: str) -> UUID:
    return parse_id(text, kind="design", reason=Reason.DESIGN_NOT_FOUND)

"""IngestService on the wire: takes the principal from the call, and leaves the rest to the handler."""

from __future__ import annotations

from typing import Any, Final

from cutline.rpc.call import current_principal
from cutline.v1 import design_pb2
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1.ingest_service_pb2_grpc import IngestServiceServicer
from services.ingest.handler import IngestHandler

INGEST_SERVICE: Final = "cutline.v1.IngestService"
QUEUE_SERVICE: Final = "cutline.v1.QueueService"


class IngestServicer(IngestServiceServicer):
    """The five calls."""

    def __init__(self, handler: IngestHandler) -> None:
        self._handler = handler

    async def CreateUpload(self, request: pb.CreateUploadRequest, _context: Any) -> pb.Upload:  # noqa: N802
        """Reserves an upload and signs its PUT."""
        return await self._handler.create_upload(current_principal().tenant, request)

    async def SubmitDesign(self, request: pb.SubmitDesignRequest, _context: Any) -> pb.SubmitDesignResponse:  # noqa: N802
        """Accepts a design."""
        return await self._handler.submit_design(current_principal().tenant, request)

    async def ReprocessDesign(  # noqa: N802
        self, request: pb.ReprocessDesignRequest, _context: Any
    ) -> pb.SubmitDesignResponse:
        """Starts the next generation of a design."""
        return await self._handler.reprocess_design(current_principal().tenant, request)

    async def CancelDesign(self, request: pb.CancelDesignRequest, _context: Any) -> design_pb2.Design:  # noqa: N802
        """Stops a design's unfinished work."""
        return await self._handler.cancel_design(current_principal().tenant, request)

    async def DeleteDesign(self, request: pb.DeleteDesignRequest, _context: Any) -> pb.DeleteDesignResponse:  # noqa: N802
        """Deletes a design."""
        return await self._handler.delete_design(current_principal().tenant, request)

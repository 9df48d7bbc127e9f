"""One mockup job: fetch the sticker's files, render the scenes, store the pictures, make the design READY."""

from __future__ import annotations

import asyncio
from functools import partial

from cutline.blobs.keys import artifact_key
from cutline.blobs.store import S3BlobStore
from cutline.contract.file_names import mockup_file_name
from cutline.contract.specs import resolved_spec_from_json
from cutline.domain.outputs import OutputFormat
from cutline.messaging.outcomes import Done, Outcome
from cutline.messaging.slot import SlotFunction
from cutline.messaging.work import Work
from cutline.runtime.logging import get_logger
from cutline.store.attempts import Claim
from cutline.store.dead_letters import mockups_unavailable
from cutline.store.results import MockupRow, Results
from cutline.telemetry.propagation import traceparent_of_current
from services.mockup.work import Picture, Rendering, render_scenes

log = get_logger(__name__)


class MockupHandler:
    """Handles mockup jobs.

    Args:
        blobs: Holds the sticker's files, takes the pictures.
        results: Takes the results.
        engine: What the slot runs.
    """

    def __init__(self, blobs: S3BlobStore, results: Results, *, engine: SlotFunction = render_scenes) -> None:
        self._engine = engine
        self._blobs = blobs
        self._results = results

    async def __call__(self, work: Work) -> Outcome:
        """Does one job; scenes that fail are named in a finding, and the design is READY all the same."""
        claim = work.claim
        spec = resolved_spec_from_json(claim.resolved_spec)
        keys = (claim.artifact_keys[kind.value] for kind in (OutputFormat.CUTOUT_PNG, OutputFormat.REPORT_JSON))
        sticker = await asyncio.gather(*(self._blobs.get(key) for key in keys))
        reply = await work.run(self._engine, (spec.mockup_scenes,), sticker)
        rendering: Rendering = reply.value
        for scene, stack in rendering.failures:
            log.error("mockup.scene_failed", scene=scene, stack=stack)
        stored = (
            self._put(claim, picture, data) for picture, data in zip(rendering.pictures, reply.buffers, strict=True)
        )
        rows = await asyncio.gather(*stored)
        finding = None
        if rendering.failures:
            names = ", ".join(scene for scene, _ in rendering.failures)
            finding = mockups_unavailable(f"These mockups could not be rendered: {names}.")
        return Done(
            partial(self._results.mockup_done, claim, rows, finding=finding, traceparent=traceparent_of_current())
        )

    async def _put(self, claim: Claim, picture: Picture, data: bytes) -> MockupRow:
        digest = picture.sha256.hex()
        key = artifact_key(
            tenant=claim.tenant,
            design_id=claim.design_id,
            generation=claim.generation,
            kind=f"mockup-{picture.scene}",
            sha256=digest,
            extension=mockup_file_name(picture.scene, picture.media_type).rpartition(".")[2],
        )
        await self._blobs.put(key, data, media_type=picture.media_type, sha256=digest)
        return MockupRow(
            scene=picture.scene,
            media_type=picture.media_type,
            size_bytes=len(data),
            sha256=picture.sha256,
            width_px=picture.width_px,
            height_px=picture.height_px,
            object_key=key,
        )

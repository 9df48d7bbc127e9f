"""One imaging job: fetch the artwork, run the pipeline, store its files, commit."""

from __future__ import annotations

import asyncio
from functools import partial

from cutline.blobs.errors import BlobMissingError
from cutline.blobs.keys import artifact_key
from cutline.blobs.store import S3BlobStore
from cutline.contract.specs import resolved_spec_from_json
from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import Reason
from cutline.domain.outputs import FILE_NAMES, MEDIA_TYPES, OutputFormat
from cutline.messaging.outcomes import Done, Outcome, Reject
from cutline.messaging.slot import SlotFunction
from cutline.messaging.work import Work
from cutline.store.attempts import Claim
from cutline.store.results import ArtifactRow, ImagingResults, Results
from cutline.telemetry.propagation import traceparent_of_current
from services.imaging.work import Run, run_pipeline


class ImagingHandler:
    """Handles imaging jobs.

    Args:
        blobs: Holds the artwork, takes the files.
        results: Takes the results.
        limits: How large artwork may be.
        pipeline: What the slot runs.
    """

    def __init__(
        self, blobs: S3BlobStore, results: Results, limits: ArtworkLimits, *, pipeline: SlotFunction = run_pipeline
    ) -> None:
        self._pipeline = pipeline
        self._blobs = blobs
        self._results = results
        self._limits = limits

    async def __call__(self, work: Work) -> Outcome:
        """Does one job; refuses it where its artwork is gone."""
        claim = work.claim
        spec = resolved_spec_from_json(claim.resolved_spec)
        try:
            artwork = await self._blobs.get(claim.artwork_key)
        except BlobMissingError:
            return Reject(Reason.ARTWORK_MISSING, "The uploaded artwork is not there any more.")
        reply = await work.run(self._pipeline, (spec, self._limits), [artwork])
        run: Run = reply.value
        artifacts = await self._store(claim, run, reply.buffers)
        results = ImagingResults(
            geometry=run.geometry,
            findings=run.findings,
            print_verdict=run.print_verdict,
            cutout_method=run.cutout_method,
            cutout_confidence=run.cutout_confidence,
            artifacts=artifacts,
        )
        return Done(
            partial(
                self._results.imaging_done,
                claim,
                results,
                mockups_wanted=spec.mockup_scenes != (),  # None stands for every scene
                traceparent=traceparent_of_current(),
            )
        )

    async def _store(self, claim: Claim, run: Run, files: list[bytes]) -> tuple[ArtifactRow, ...]:
        """Puts all files at once; an object of an attempt that never commits is removed by retention."""
        stored = (self._put(claim, kind, sha256, data) for (kind, sha256), data in zip(run.files, files, strict=True))
        return tuple(await asyncio.gather(*stored))

    async def _put(self, claim: Claim, kind: OutputFormat, sha256: bytes, data: bytes) -> ArtifactRow:
        key = artifact_key(
            tenant=claim.tenant,
            design_id=claim.design_id,
            generation=claim.generation,
            kind=kind.value,
            sha256=sha256.hex(),
            extension=FILE_NAMES[kind].rpartition(".")[2],
        )
        await self._blobs.put(key, data, media_type=MEDIA_TYPES[kind], sha256=sha256.hex())
        return ArtifactRow(kind.value, MEDIA_TYPES[kind], len(data), sha256, key)

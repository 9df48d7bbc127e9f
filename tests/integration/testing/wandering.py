"""Calls in an order that nobody would think of."""

from __future__ import annotations

import random
from typing import Final

from cutline.v1 import design_pb2
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1 import status_service_pb2 as status_pb
from cutline.v1 import sticker_spec_pb2 as spec_pb
from tests.integration.testing.raw_api import RawApi
from tests.integration.testing.requests import NOBODY, artwork, held, uploaded, uuid_of

STEPS: Final = 200


class Wanderer:
    """Makes calls by chance, the same for the same seed; no work starts meanwhile, so that all is told at once."""

    def __init__(self, api: RawApi, seed: int) -> None:
        self._api = api
        self._seed = seed
        self._chance = random.Random(seed)  # noqa: S311  (an order of calls, not a secret)
        self._uploads = [uploaded(api, artwork(color)) for color in ("#264653", "#e9c46a")]
        self._designs = [NOBODY]
        self._tokens = [""]

    def wander(self) -> list[str]:
        """Makes the calls; the answers."""
        steps = [self._submit] * 4 + [self._cancel] * 2
        steps += [self._reprocess, self._delete, self._read, self._list, self._follow]
        for _ in range(STEPS):
            self._chance.choice(steps)()
        return self._api.lines

    def _submit(self) -> None:
        request = pb.SubmitDesignRequest(
            upload_id=self._chance.choice(self._uploads),
            spec=spec_pb.StickerSpec(width_mm=self._chance.choice([50, 60])),
            reference=self._chance.choice(["", "o-1"]),
            labels={"shop": self._chance.choice(["one", "two"])},
            job=held(),
            request_id=self._request_id(),
        )
        answer: pb.SubmitDesignResponse | None = self._api.call(self._api.ingest.SubmitDesign, request)
        if answer is not None and answer.design.id not in self._designs:
            self._designs.append(answer.design.id)

    def _reprocess(self) -> None:
        request = pb.ReprocessDesignRequest(design_id=self._design(), job=held(), request_id=self._request_id())
        if self._chance.random() < 0.5:
            request.spec.width_mm = self._chance.choice([50, 60])
        self._api.call(self._api.ingest.ReprocessDesign, request)

    def _cancel(self) -> None:
        request = pb.CancelDesignRequest(design_id=self._design(), request_id=self._request_id())
        self._api.call(self._api.ingest.CancelDesign, request)

    def _delete(self) -> None:
        request = pb.DeleteDesignRequest(design_id=self._design(), request_id=self._request_id())
        self._api.call(self._api.ingest.DeleteDesign, request)

    def _read(self) -> None:
        request = status_pb.GetDesignRequest(design_id=self._design(), view=design_pb2.DESIGN_VIEW_FULL)
        self._api.call(self._api.status.GetDesign, request)

    def _list(self) -> None:
        request = status_pb.ListDesignsRequest(page_size=self._chance.randrange(4))
        if self._chance.random() < 0.5:
            states = [design_pb2.Design.STATE_QUEUED, design_pb2.Design.STATE_CANCELLED]
            request.states.append(self._chance.choice(states))
        if self._chance.random() < 0.5:
            request.labels["shop"] = "one"
        page = self._api.call(self._api.status.ListDesigns, request)
        while page.next_page_token:
            request.page_token = page.next_page_token
            page = self._api.call(self._api.status.ListDesigns, request)

    def _follow(self) -> None:
        self._tokens.append(self._api.first_events(self._chance.choice(self._tokens)))

    def _design(self) -> str:
        return self._chance.choice(self._designs)

    def _request_id(self) -> str:
        """One of few, so that it often comes again with another body."""
        return uuid_of(1000 * self._seed + self._chance.randrange(30)) if self._chance.random() < 0.5 else ""

"""A design at hand, for asyncio; `design` is its twin for threads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from cutline.client.errors import DesignFailedError
from cutline.client.requests import Spec
from cutline.client.specs import SpecFields
from cutline.client.states import state_name
from cutline.client.watching import OnProgress
from cutline.v1 import design_pb2, job_pb2

if TYPE_CHECKING:
    from cutline.client.async_designs import AsyncDesigns


class AsyncDesign:
    """A design at hand.

    Attributes:
        message: The design as it was last told.
        deduplicated: Whether a submit found the same work already under way.
    """

    def __init__(self, designs: AsyncDesigns, message: design_pb2.Design, *, deduplicated: bool = False) -> None:
        self._designs = designs
        self.message = message
        self.deduplicated = deduplicated

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.state}>"

    @property
    def id(self) -> str:
        """Its id."""
        return self.message.id

    @property
    def state(self) -> str:
        """Its state by name, such as READY, as last told; a number for a state of a later release."""
        return state_name(self.message.state)

    async def refresh(self, *, timeline: bool = False) -> design_pb2.Design:
        """Reads it again."""
        self.message = await self._designs.read(self.id, timeline=timeline)
        return self.message

    async def watch(self) -> AsyncGenerator[design_pb2.Design, None]:
        """Each revision newer than `message`, which follows; see `watch` of the designs."""
        async with aclosing(self._designs.watch(self.id, after_revision=self.message.revision)) as revisions:
            async for design in revisions:
                self.message = design
                yield design

    async def wait(self, *, timeout_s: float | None = None, on_progress: OnProgress | None = None) -> design_pb2.Design:
        """Waits until it is READY.

        Args:
            timeout_s: The longest wait; None means for ever. A service that is away is asked for `patience_s` of the
                client.
            on_progress: Is told each newer revision, the terminal one too. What it raises ends the wait.

        Raises:
            DesignFailedError: It ended FAILED or CANCELLED.
            WaitTimeoutError: It did not end in time.
            DesignDeletedError: It was deleted.
            UnavailableError: The service stayed away.
        """

        def told(design: design_pb2.Design) -> object:
            self.message = design
            return None if on_progress is None else on_progress(design)

        self.message = await self._designs.wait(
            self.id, after_revision=self.message.revision, timeout_s=timeout_s, on_progress=told
        )
        if self.message.state != design_pb2.Design.STATE_READY:
            raise DesignFailedError(self.message)
        return self.message

    async def result(self, *, timeout_s: float | None = None) -> design_pb2.Design:
        """The design once it is READY, with signed addresses of its files; errors as of `wait`."""
        return await self.wait(timeout_s=timeout_s)

    async def download(self, folder: str | PathLike[str]) -> Sequence[Path]:
        """Fetches its files; see `download` of the designs."""
        return await self._designs.download(self.id, folder)

    async def cancel(self) -> design_pb2.Design:
        """Stops its unfinished work; see `cancel` of the designs."""
        self.message = await self._designs.cancel(self.id)
        return self.message

    async def reprocess(
        self, spec: Spec | None = None, *, job: job_pb2.JobOptions | None = None, **fields: Unpack[SpecFields]
    ) -> design_pb2.Design:
        """Runs it again; see `reprocess` of the designs."""
        again = await self._designs.reprocess(self.id, spec, job=job, **fields)
        self.message, self.deduplicated = again.message, again.deduplicated
        return self.message

    async def delete(self) -> None:
        """Deletes it; see `delete` of the designs."""
        await self._designs.delete(self.id)

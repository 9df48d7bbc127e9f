"""Many artworks through the services, a bounded number at a time."""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from cutline.cli.artwork_files import Source
from cutline.cli.board import Board
from cutline.cli.failures import ExitCode, exit_code, explain
from cutline.cli.fetching import fetch_files
from cutline.cli.printing import as_dict
from cutline.cli.tally import ENDED, Phase, phase_of
from cutline.client import (
    ArtworkFileError,
    AsyncClient,
    AsyncDesign,
    ClientError,
    ConflictError,
    DesignFailedError,
    InvalidArgumentError,
    PermissionDeniedError,
    UnauthenticatedError,
    WaitTimeoutError,
)
from cutline.domain.sticker_spec import StickerSpec
from cutline.v1 import job_pb2

UPLOADS_AT_ONCE: Final = 8
"""However wide the window: more of them would only share the same line."""
SHARED_FIELDS: Final = frozenset({"spec", "labels", "reference", "job"})
"""Fields of a submit that are the same for every file of a batch."""


class BatchConflictError(ClientError):
    """Something else was submitted under this name of this batch."""


class NotSubmittedError(ClientError):
    """A file was not tried, because it would have failed as another had; `cause` is how."""

    def __init__(self, cause: ClientError) -> None:
        super().__init__(f"not submitted: {explain(cause)}")
        self.cause = cause


@dataclass
class Submitted:
    """What became of one file.

    Attributes:
        design: Its design, once accepted.
        folder: Where its files are, once fetched.
        error: Why it went no further.
        ended: Whether nothing more is to come.
    """

    source: Source
    design: AsyncDesign | None = None
    folder: Path | None = None
    error: ClientError | None = None
    ended: bool = False

    @property
    def complaint(self) -> str:
        """What went wrong, and with which file; empty where nothing did."""
        if self.error is None:
            return ""
        name = self.source.shown
        why = explain(self.error).removeprefix(f"{name}: ").removeprefix(f"{Path(name).name}: ")
        return f"{name}: {why}"

    def facts(self) -> dict[str, Any]:
        """What a program wants to know of it."""
        facts: dict[str, Any] = {"file": self.source.shown}
        if self.design is not None:
            facts |= {"design": as_dict(self.design.message), "deduplicated": self.design.deduplicated}
        if self.folder is not None:
            facts["folder"] = str(self.folder)
        if self.error is not None:
            facts |= {"error": explain(self.error), "exit_code": int(code_of(self.error))}
        return facts


@dataclass(frozen=True, slots=True)
class Wishes:
    """What holds for every file of a submit.

    Attributes:
        wait: Whether a file holds its place in the window until its design has ended.
        timeout_s: Longest wait for each design, from its acceptance.
        batch: Name that this submit is repeated under; empty means that a repeat is new work.
        out: Where the files of each design go, in a folder of its name; None fetches none.
        window: How many files are under way at once.
        input_data: What came from standard input.
        input_name: File name of that.
    """

    spec: StickerSpec
    title: str
    reference: str
    labels: dict[str, str]
    job: job_pb2.JobOptions
    wait: bool
    timeout_s: float | None
    out: Path | None
    window: int
    batch: str
    input_data: bytes
    input_name: str


class Batch:
    """One submit of many files.

    What fails for one file fails for that file alone. Where a service is away, or refuses the caller, no further file
    is tried: what is under way goes on to its end.

    Args:
        tell: Called with each file once nothing more is to come of it.

    Attributes:
        submitted: What became of each file, in their order.
    """

    def __init__(
        self, sources: Sequence[Source], wishes: Wishes, board: Board, tell: Callable[[Submitted], None]
    ) -> None:
        self.submitted = [Submitted(source) for source in sources]
        self._wishes = wishes
        self._board = board
        self._tell = tell
        self._uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._halt: ClientError | None = None

    async def run(self) -> None:
        """Takes every file to its end."""
        ahead = iter(self.submitted)
        async with AsyncClient() as client:
            with self._board:
                try:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(min(self._wishes.window, len(self.submitted))):
                            group.create_task(self._take_each(client, ahead))
                except BaseExceptionGroup as failures:
                    raise failures.exceptions[0] from None
                if self._halt is not None:
                    for one in ahead:
                        self._end(one, NotSubmittedError(self._halt))

    @property
    def repeatable(self) -> bool:
        """Whether what was accepted is found again by a repeat."""
        return bool(self._wishes.batch)

    @property
    def exit_code(self) -> ExitCode:
        """The highest of all files."""
        return max((code_of(one.error) for one in self.submitted if one.error is not None), default=ExitCode.OK)

    @property
    def unfinished(self) -> list[Submitted]:
        """Files whose designs were to be waited for, and were not seen to end."""
        return [
            one
            for one in self.submitted
            if one.design is not None
            and (one.error is not None or not one.ended)
            and phase_of(one.design.message) not in ENDED
        ]

    @property
    def unsent(self) -> list[Submitted]:
        """Files that another try may submit."""
        return [
            one
            for one in self.submitted
            if one.design is None and (not one.ended or (one.error is not None and stops_all(one.error)))
        ]

    async def _take_each(self, client: AsyncClient, ahead: Iterator[Submitted]) -> None:
        while self._halt is None and (one := next(ahead, None)) is not None:
            try:
                await self._take(client, one)
            except ClientError as error:
                if stops_all(error):
                    self._halt = error
                self._end(one, error)
            else:
                self._end(one, None)

    async def _take(self, client: AsyncClient, one: Submitted) -> None:
        async with self._uploads:
            design = one.design = await self._submit(client, one.source)
        self._board.show(one.source.name, design.message)
        if not self._wishes.wait:
            return
        await self._follow(one.source.name, design)
        if design.state != "READY":
            raise DesignFailedError(design.message)
        if self._wishes.out is not None:
            folder = self._wishes.out / one.source.name
            self._board.fetch(one.source.name)
            await fetch_files(design, folder)
            one.folder = folder

    async def _submit(self, client: AsyncClient, source: Source) -> AsyncDesign:
        name, batch = source.name, self._wishes.batch
        self._board.upload(name)
        artwork, filename = self._artwork(source)
        try:
            return await client.designs.submit(
                artwork,
                self._wishes.spec,
                filename=filename,
                title=self._wishes.title,
                reference=self._wishes.reference,
                labels=self._wishes.labels,
                job=self._wishes.job,
                request_id=str(uuid5(NAMESPACE_OID, f"{name} of cutline batch {batch}")) if batch else "",
                on_upload=lambda sent_bytes, size_bytes: self._board.upload(name, sent_bytes / size_bytes),
            )
        except ConflictError:
            message = f"was submitted under --batch {batch} before, with other bytes or other options"
            raise BatchConflictError(message) from None

    def _artwork(self, source: Source) -> tuple[Path | bytes, str]:
        """The artwork, and what to call it where it has no file name of its own."""
        if source.problem:
            message = f"{source.shown}: {source.problem}"
            raise ArtworkFileError(message)
        if source.path is None:
            return self._wishes.input_data, self._wishes.input_name
        try:
            regular = stat.S_ISREG(source.path.stat().st_mode)
        except OSError as error:
            message = f"{source.shown}: {error.strerror or error}"
            raise ArtworkFileError(message) from None
        if not regular:  # a pipe may never be written to, a device never end
            message = f"{source.shown}: is no regular file"
            raise ArtworkFileError(message)
        return source.path, ""

    async def _follow(self, name: str, design: AsyncDesign) -> None:
        try:
            async with asyncio.timeout(self._wishes.timeout_s), aclosing(design.watch()) as revisions:
                async for revision in revisions:
                    self._board.show(name, revision)
        except TimeoutError:
            message = f"Design {design.id} did not end within {self._wishes.timeout_s:g} s."
            raise WaitTimeoutError(message) from None

    def _end(self, one: Submitted, error: ClientError | None) -> None:
        one.error, one.ended = error, True
        self._board.leave(one.source.name, _last_phase(one))
        self._tell(one)


def _last_phase(one: Submitted) -> Phase:
    """Where a file is in the end: what goes on at the server, or was never sent, has not failed."""
    if one.design is None:
        return Phase.WAITING if one.error is not None and code_of(one.error) is ExitCode.UNAVAILABLE else Phase.FAILED
    phase = phase_of(one.design.message)
    return Phase.FAILED if phase is Phase.READY and one.error is not None else phase


def stops_all(error: ClientError) -> bool:
    """Whether the next file would fail the same way: for a service, for the key, or for what all files share."""
    if isinstance(error, NotSubmittedError | UnauthenticatedError | PermissionDeniedError):
        return True
    if isinstance(error, InvalidArgumentError) and error.violations:
        return all(re.split(r"[.\[]", at.field)[0] in SHARED_FIELDS for at in error.violations)
    return exit_code(error) is ExitCode.UNAVAILABLE


def code_of(error: ClientError) -> ExitCode:
    """The exit code of a file's failure, or of the failure that kept it from being tried."""
    return exit_code(error.cause if isinstance(error, NotSubmittedError) else error)

"""Dead letters as operators see them: the rows of every tenant, and the messages that named no job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from cutline.domain.errors import NotFoundError, Reason
from cutline.messaging.dead_stream import DeadStream, UnreadableLetter
from cutline.store.pool import Database
from cutline.store.queue_reads import DeadLetterFilter, DeadLetterRow, count_dead_letters, list_dead_letters


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Dead letters, the newest first: rows and messages without a job alike.

    Attributes:
        more: Whether there are further ones.
        count_by_reason: How many match in all.
    """

    letters: list[DeadLetterRow | UnreadableLetter]
    more: bool
    count_by_reason: Mapping[str, int]


class DeadLetters:
    """Lists dead letters.

    Args:
        database: Where the rows are.
        stream: Where the messages without a job are.
    """

    def __init__(self, database: Database, stream: DeadStream) -> None:
        self._database = database
        self._stream = stream

    async def page(self, wanted: DeadLetterFilter, *, before: UUID | None, size: int) -> LetterPage:
        """A page of the dead letters that match, those with an id below `before`.

        Raises:
            UnavailableError: The database does not answer, or the broker does not and may hold some that match.
        """
        aside = await unreadable_letters(self._stream, wanted)
        rows = await list_dead_letters(self._database, wanted, before=before, limit=size + 1)
        behind = [one for one in aside if before is None or one.dead_letter_id < before]
        both: list[DeadLetterRow | UnreadableLetter] = [*rows, *behind]
        both.sort(key=lambda one: one.dead_letter_id, reverse=True)
        counts = Counter(await count_dead_letters(self._database, wanted))
        counts.update(one.reason for one in aside)
        return LetterPage(both[:size], more=len(both) > size, count_by_reason=counts)


async def unreadable_letters(stream: DeadStream, wanted: DeadLetterFilter) -> list[UnreadableLetter]:
    """The messages that named no job and match; they are no tenant's, so that a tenant's filter never needs the broker.

    Raises:
        UnavailableError: The broker does not answer.
    """
    if wanted.tenant or wanted.reason not in {"", Reason.MESSAGE_UNREADABLE}:
        return []
    return [one for one in await stream.unreadable() if _matches(one, wanted)]


def _matches(letter: UnreadableLetter, wanted: DeadLetterFilter) -> bool:
    return (
        wanted.dead_letter_id in {None, letter.dead_letter_id}
        and wanted.stage in {None, letter.stage}
        and wanted.reason in {"", letter.reason}
        and (wanted.create_time_before is None or letter.create_time < wanted.create_time_before)
    )


def no_such_letter(dead_letter_id: UUID) -> NotFoundError:
    """The error for an id of no open dead letter that matches."""
    return NotFoundError(
        Reason.DEAD_LETTER_NOT_FOUND,
        f"There is no open dead letter {dead_letter_id} that matches.",
        metadata={"dead_letter_id": str(dead_letter_id)},
    )

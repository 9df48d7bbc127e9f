"""What callers are told about designs and uploads, in one place: the same words from whichever service says them."""

from __future__ import annotations

from uuid import UUID

from cutline.domain.errors import InvalidInputError, NotFoundError, PreconditionError, Reason
from cutline.domain.states import DesignState


def design_not_found(design_id: UUID) -> NotFoundError:
    """The error for a design that is not there, or is another tenant's."""
    return NotFoundError(
        Reason.DESIGN_NOT_FOUND, f"There is no design {design_id}.", metadata={"design_id": str(design_id)}
    )


def design_terminal(design_id: UUID, state: DesignState) -> PreconditionError:
    """The error for a design that cannot be stopped any more."""
    return PreconditionError(
        Reason.DESIGN_TERMINAL,
        f"The design has already ended: it is {state}.",
        metadata={"design_id": str(design_id), "state": state},
    )


def design_running(design_id: UUID, state: DesignState) -> PreconditionError:
    """The error for a design that cannot be deleted yet."""
    return PreconditionError(
        Reason.DESIGN_RUNNING,
        f"The design is {state}; cancel it before deleting it.",
        metadata={"design_id": str(design_id), "state": state},
    )


def upload_not_found(upload_id: UUID) -> NotFoundError:
    """The error for an upload that is not there, has expired unused, or is another tenant's."""
    return NotFoundError(
        Reason.UPLOAD_NOT_FOUND, f"There is no upload {upload_id}.", metadata={"upload_id": str(upload_id)}
    )


def artwork_missing(upload_id: UUID) -> PreconditionError:
    """The error for an upload whose bytes have not come."""
    return PreconditionError(
        Reason.ARTWORK_MISSING,
        f"Nothing was PUT for the upload {upload_id} yet.",
        metadata={"upload_id": str(upload_id)},
    )


def artwork_refused(reason: Reason, upload_id: UUID, text: str) -> InvalidInputError:
    """The error for an upload whose bytes cannot be used.

    Args:
        reason: Which of the reasons about artwork.
        upload_id: The upload.
        text: What is wrong, in half a sentence.
    """
    return InvalidInputError(
        reason, f"The artwork of the upload {upload_id}: {text}.", metadata={"upload_id": str(upload_id)}
    )

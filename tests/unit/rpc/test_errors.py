"""What a handler raises becomes a status that a client can act on, and nothing else gets out."""

from __future__ import annotations

from typing import Any

import asyncpg
import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from cutline.domain import errors
from cutline.domain.errors import CutlineError, FieldViolation, InvalidInputError, Reason
from cutline.rpc.errors import refusal_of
from cutline.rpc.refusals import MAX_VIOLATIONS, Refusal, draining

CODES: dict[type[CutlineError], grpc.StatusCode] = {
    errors.InvalidInputError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ArtworkError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFoundError: grpc.StatusCode.NOT_FOUND,
    errors.PreconditionError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.OutOfRangeError: grpc.StatusCode.OUT_OF_RANGE,
    errors.ConflictError: grpc.StatusCode.ALREADY_EXISTS,
    errors.UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDeniedError: grpc.StatusCode.PERMISSION_DENIED,
    errors.ResourceExhaustedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.UnavailableError: grpc.StatusCode.UNAVAILABLE,
    errors.UnimplementedError: grpc.StatusCode.UNIMPLEMENTED,
}


def _details(refusal: Refusal) -> dict[str, Any]:
    status = Status.FromString(refusal.details)
    assert (status.code, status.message) == (refusal.code.value[0], refusal.message)
    found: dict[str, Any] = {}
    for packed in status.details:
        for kind in (ErrorInfo, BadRequest, RetryInfo):
            if packed.TypeName() == kind.DESCRIPTOR.full_name:
                found[kind.__name__] = kind.FromString(packed.value)
    assert len(found) == len(status.details)
    return found


def test_every_kind_of_error_has_its_code() -> None:
    """Each class of the domain's errors, and one derived from it, has the code the contract names."""
    assert set(CODES) == set(CutlineError.__subclasses__())
    for kind, code in CODES.items():
        derived = type("Derived", (kind,), {})
        for raised in (kind, derived):
            assert refusal_of(raised(Reason.INTERNAL, "It is so.")).code is code, kind


def test_error_info_names_reason_domain_and_ids() -> None:
    """Exactly one ErrorInfo carries the reason, the error's facts and the ids to ask support with."""
    error = errors.NotFoundError(Reason.DESIGN_NOT_FOUND, "There is no design 'x'.", metadata={"design": "x"})
    refusal = refusal_of(error, trace_id="abc", request_id="r1")

    assert refusal.expected
    (info,) = _details(refusal).values()
    assert (info.reason, info.domain) == ("DESIGN_NOT_FOUND", "cutline")
    assert dict(info.metadata) == {"design": "x", "trace_id": "abc", "request_id": "r1"}


def test_fields_at_fault_are_listed() -> None:
    """BadRequest names each field with what is wrong."""
    refusal = refusal_of(InvalidInputError.of_fields(FieldViolation("spec.width_mm", "4 is not 5 to 1000 mm", "OUT")))

    (violation,) = _details(refusal)["BadRequest"].field_violations
    assert (violation.field, violation.description, violation.reason) == (
        "spec.width_mm",
        "4 is not 5 to 1000 mm",
        "OUT",
    )


def test_what_can_be_tried_again_says_when() -> None:
    """RetryInfo stands on retryable errors only, with the error's own delay or a second."""
    later = errors.ResourceExhaustedError(Reason.BACKLOG_FULL, "Full.", retry_after_s=2.5)
    soon = errors.UnavailableError(Reason.STORE_UNAVAILABLE, "Away.")
    never = errors.ConflictError(Reason.REQUEST_ID_REUSED, "Used.")

    assert _details(refusal_of(later))["RetryInfo"].retry_delay.ToMilliseconds() == 2500
    assert _details(refusal_of(soon))["RetryInfo"].retry_delay.ToMilliseconds() == 1000
    assert "RetryInfo" not in _details(refusal_of(never))
    assert draining().reason is Reason.SHUTTING_DOWN


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), asyncpg.PostgresSyntaxError("secret")])
def test_the_text_of_other_exceptions_never_gets_out(error: Exception) -> None:
    """What was not meant for a client is INTERNAL with one plain sentence."""
    refusal = refusal_of(error)

    assert (refusal.code, refusal.reason, refusal.expected) == (grpc.StatusCode.INTERNAL, "INTERNAL", False)
    assert "secret" not in refusal.message
    assert b"secret" not in refusal.details


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (TimeoutError("secret"), grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED),
        (ConnectionRefusedError("secret"), grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE),
        (asyncpg.InterfaceError("secret"), grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE),
        (asyncpg.CannotConnectNowError("secret"), grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE),
        (NotImplementedError("secret"), grpc.StatusCode.UNIMPLEMENTED, Reason.UNIMPLEMENTED),
    ],
)
def test_outages_have_a_reason_too(error: Exception, code: grpc.StatusCode, reason: Reason) -> None:
    """Time-outs and lost connections are told as such, without their text, and count as unforeseen."""
    refusal = refusal_of(error)

    assert (refusal.code, refusal.reason, refusal.expected) == (code, reason, False)
    assert b"secret" not in refusal.details


def test_the_largest_error_fits_into_trailers() -> None:
    """However many fields are wrong, the status stays below the 8 KiB that clients accept."""
    violations = [FieldViolation("spec." + "f" * 60, "wrong " * 100) for _ in range(500)]
    refusal = refusal_of(InvalidInputError.of_fields(*violations))

    assert len(_details(refusal)["BadRequest"].field_violations) == MAX_VIOLATIONS
    assert 4 * len(refusal.details) / 3 < 8192

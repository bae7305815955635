"""A Failure as a gRPC status with its details, and back."""

from __future__ import annotations

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from services.kit.contract import reason_rule
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason

DOMAIN = "veritick"
DETAILS_KEY = "grpc-status-details-bin"
_WITHOUT_DETAILS = {
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE: Reason.UNAVAILABLE,
    grpc.StatusCode.UNIMPLEMENTED: Reason.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED: Reason.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: Reason.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.REQUEST_TOO_LARGE,
}
_TOO_MANY = "Concurrent RPC limit"
"""What a server says that has more calls than it takes: by the code of a message too large."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def status_of(failure: Failure) -> status_pb2.Status:
    """Return the status that carries a failure: ErrorInfo, and BadRequest or RetryInfo if any."""
    status = status_pb2.Status(code=reason_rule(failure.reason).code, message=failure.message)
    info = error_details_pb2.ErrorInfo(
        reason=failure.reason.value, domain=DOMAIN, metadata=failure.metadata
    )
    status.details.add().Pack(info)
    if failure.violations:
        bad = error_details_pb2.BadRequest()
        for violation in failure.violations:
            bad.field_violations.add(field=violation.field, description=violation.description)
        status.details.add().Pack(bad)
    if failure.retry_after is not None:
        delay = Duration()
        delay.FromTimedelta(failure.retry_after)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def grpc_code(failure: Failure) -> grpc.StatusCode:
    """Return the status code that carries a failure."""
    return _CODES[reason_rule(failure.reason).code]


def failure_of(error: grpc.aio.AioRpcError) -> Failure:
    """Return what a failed call says, as the failure its server raised.

    Errors that no server of ours described (a lost connection, a passed deadline) become the
    reason that says so; any other becomes INTERNAL, without repeating its text to a caller.
    """
    status = _status(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == DOMAIN and info.reason in Reason.__members__:
            return _described(status, info)
    reason = _WITHOUT_DETAILS.get(error.code(), Reason.INTERNAL)
    if reason is Reason.REQUEST_TOO_LARGE and _TOO_MANY in (error.details() or ""):
        reason = Reason.UNAVAILABLE
    text = "The call failed." if reason is Reason.INTERNAL else "The service did not answer."
    return Failure(reason, text)


def _described(status: status_pb2.Status, info: error_details_pb2.ErrorInfo) -> Failure:
    violations, retry_after = [], None
    bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(bad):
            violations = [Violation(item.field, item.description) for item in bad.field_violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
    return Failure(
        Reason(info.reason),
        status.message,
        metadata=dict(info.metadata),
        violations=violations,
        retry_after=retry_after,
    )


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status(code=code_pb2.UNKNOWN)

"""A failure crosses the wire and arrives as what it was; a stranger's error says little."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st

from services.kit.contract import reason_rule
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason
from services.kit.status import DETAILS_KEY, failure_of, grpc_code, status_of
from veritick.error.v1.error_reason_pb2 import ErrorReason

texts = st.text(st.characters(codec="utf-8"), max_size=40)
failures = st.builds(
    Failure,
    st.sampled_from(Reason),
    texts,
    metadata=st.dictionaries(texts, texts, max_size=3),
    violations=st.lists(st.builds(Violation, texts, texts), max_size=3),
    retry_after=st.none() | st.timedeltas(),
)


def raised(code: grpc.StatusCode, status: status_pb2.Status | bytes | None = None) -> AioRpcError:
    trailing = Metadata()
    if status is not None:
        sent = status if isinstance(status, bytes) else status.SerializeToString()
        trailing.add(DETAILS_KEY, sent)
    return AioRpcError(code, Metadata(), trailing, details="secret of the server")


@given(failures)
def test_a_failure_arrives_as_it_was(failure: Failure) -> None:
    got = failure_of(raised(grpc_code(failure), status_of(failure)))
    assert (got.reason, got.message, got.metadata) == (
        failure.reason,
        failure.message,
        failure.metadata,
    )
    assert (got.violations, got.retry_after) == (failure.violations, failure.retry_after)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_travels_as_an_error(reason: Reason) -> None:
    assert grpc_code(Failure(reason, "x")) is not grpc.StatusCode.OK
    assert reason_rule(reason).code == status_of(Failure(reason, "x")).code != 0


def test_the_reasons_are_those_of_the_contract() -> None:
    assert {reason.value for reason in Reason} == set(ErrorReason.keys()) - {
        "ERROR_REASON_UNSPECIFIED"
    }


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Reason.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED),
        (grpc.StatusCode.UNIMPLEMENTED, Reason.UNIMPLEMENTED),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.REQUEST_TOO_LARGE),
        (grpc.StatusCode.INTERNAL, Reason.INTERNAL),
        (grpc.StatusCode.UNKNOWN, Reason.INTERNAL),
        (grpc.StatusCode.NOT_FOUND, Reason.INTERNAL),
    ],
)
def test_an_error_that_no_server_of_ours_described(code: grpc.StatusCode, reason: Reason) -> None:
    failure = failure_of(raised(code))
    assert failure.reason is reason
    assert "secret" not in failure.message


def packed(domain: str, reason: str) -> status_pb2.Status:
    detail = AnyMessage()
    detail.Pack(error_details_pb2.ErrorInfo(domain=domain, reason=reason))
    return status_pb2.Status(code=14, message="secret", details=[detail])


@pytest.mark.parametrize(
    "status",
    [
        packed("googleapis.com", "INTERNAL"),
        packed("veritick", "NO_SUCH_REASON"),
        b"\xff not a status",
        status_pb2.Status(code=14, message="secret"),
    ],
)
def test_details_that_are_not_ours_are_not_believed(status: status_pb2.Status | bytes) -> None:
    failure = failure_of(raised(grpc.StatusCode.UNAVAILABLE, status))
    assert failure.reason is Reason.UNAVAILABLE
    assert "secret" not in failure.message

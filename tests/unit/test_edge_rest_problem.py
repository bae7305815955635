"""How refusals look over HTTP."""

import json
from datetime import timedelta

import pytest

from edge.address import Addresses
from edge.rest.problem import problem
from edge.rest.reasons import meaning_of, status_of, title_of
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.INVALID_REQUEST, 400),
        (Reason.UNAUTHENTICATED, 401),
        (Reason.PERMISSION_DENIED, 403),
        (Reason.CSRF_REJECTED, 403),
        (Reason.ACCOUNT_NOT_FOUND, 404),
        (Reason.UNIMPLEMENTED, 404),
        (Reason.REQUEST_ID_REUSED, 409),
        (Reason.MARKET_CLOSED, 409),
        (Reason.TERMS_CHANGED, 409),
        (Reason.REQUEST_TOO_LARGE, 413),
        (Reason.RATE_LIMITED, 429),
        (Reason.INTERNAL, 500),
        (Reason.UNAVAILABLE, 503),
        (Reason.DEADLINE_EXCEEDED, 504),
    ],
)
def test_a_reason_has_a_status(reason: Reason, status: int) -> None:
    assert status_of(reason) == status


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_title_a_meaning_and_a_status(reason: Reason) -> None:
    assert title_of(reason)[0].isupper()
    assert meaning_of(reason)
    assert 400 <= status_of(reason) < 600


def test_a_document_tells_all_that_the_failure_knows() -> None:
    failure = Failure(
        Reason.RATE_LIMITED,
        "Too many.",
        metadata={"cost": "TRADE"},
        violations=[Violation("a.b", "is wrong")],
        retry_after=timedelta(seconds=1.2),
    )
    response = problem(failure)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "2"
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(bytes(response.body)) == {
        "type": "/docs/errors#RATE_LIMITED",
        "title": "Rate limited",
        "status": 429,
        "detail": "Too many.",
        "reason": "RATE_LIMITED",
        "metadata": {"cost": "TRADE"},
        "violations": [{"field": "a.b", "description": "is wrong"}],
        "retryable": True,
        "requestId": "",
    }


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["nonsense"], "unknown"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        (None, [], "unknown"),
    ],
)
def test_an_address_is_believed_only_from_our_proxies(
    peer: str | None, forwarded: list[str], address: str
) -> None:
    assert Addresses(["10.0.0.0/8"]).of(peer, forwarded) == address

"""Who is admitted by which rule of the contract."""

import pytest

from services.kit.access import check_access
from services.kit.errors import Failure
from services.kit.principal import ANONYMOUS, Principal
from services.kit.reason import Reason
from veritick.option.v1.access_pb2 import Access

pytestmark = pytest.mark.security

USER = Principal("user", "u")
STAFF = Principal("user", "s", frozenset({"terms.write"}))
TRADING = Principal("service", "trading")
QUOTES = Principal("service", "quotes")
EVERYBODY = (ANONYMOUS, USER, STAFF, TRADING, QUOTES)

ASK, NO = Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED


def answer(rule: Access, who: Principal) -> Reason | None:
    try:
        check_access(rule, who)
    except Failure as failure:
        return failure.reason
    return None


@pytest.mark.parametrize(
    ("rule", "answers"),
    [
        #                                               nobody user  staff trading quotes
        (Access(public=True), (None, None, None, None, None)),
        (Access(user=True), (ASK, None, None, NO, NO)),
        (Access(permission="terms.write"), (ASK, NO, None, NO, NO)),
        (Access(services=["trading"]), (NO, NO, NO, None, NO)),
        (Access(user=True, services=["trading"]), (ASK, None, None, None, NO)),
        (Access(), (NO, NO, NO, NO, NO)),
        (Access(public=False), (NO, NO, NO, NO, NO)),
        (Access(user=False), (ASK, NO, NO, NO, NO)),
    ],
    ids=str,
)
def test_who_is_admitted(rule: Access, answers: tuple[Reason | None, ...]) -> None:
    assert tuple(answer(rule, who) for who in EVERYBODY) == answers


def test_a_user_named_like_a_service_is_no_service() -> None:
    pretender = Principal("user", "trading")
    assert answer(Access(services=["trading"]), pretender) is NO


def test_a_service_needs_no_permission_that_it_could_not_have() -> None:
    armed = Principal("service", "quotes", frozenset({"terms.write"}))
    assert answer(Access(permission="terms.write"), armed) is NO

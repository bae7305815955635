"""What was taken back is refused, for as long as a token of it could be shown."""

from datetime import timedelta

import pytest

from services.kit import revocations as module
from services.kit.clock import ManualClock, utc
from services.kit.errors import Failure
from services.kit.principal import ANONYMOUS, Principal
from services.kit.reason import Reason
from services.kit.revocations import STALE_AFTER, Revocations

pytestmark = pytest.mark.security

NOON = utc(2026, 11, 23, 12)
LATER = NOON + timedelta(minutes=16)
SECOND = timedelta(seconds=1)
ANA = Principal("user", "ana", session_id="s1", authority=1, issued_at=NOON)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def revocations(clock: ManualClock) -> Revocations:
    heard = Revocations(clock)
    heard.heard()
    return heard


def refused(revocations: Revocations, principal: Principal = ANA) -> Reason | None:
    try:
        revocations.check(principal)
    except Failure as failure:
        return failure.reason
    return None


def test_who_has_heard_nothing_believes_no_user(clock: ManualClock) -> None:
    unheard = Revocations(clock)
    assert refused(unheard) is Reason.UNAVAILABLE
    assert refused(unheard, ANONYMOUS) is None
    assert refused(unheard, Principal("service", "edge")) is None


def test_an_outage_is_bridged_for_as_long_as_a_token_lives(
    clock: ManualClock, revocations: Revocations
) -> None:
    clock.advance(STALE_AFTER)
    assert refused(revocations) is None
    clock.advance(SECOND)
    assert refused(revocations) is Reason.UNAVAILABLE
    revocations.heard()
    assert refused(revocations) is None


def test_an_ended_session_is_refused_and_no_other(revocations: Revocations) -> None:
    revocations.end("s1", LATER)
    assert refused(revocations) is Reason.SESSION_ENDED
    assert refused(revocations, Principal("user", "ana", session_id="s2", issued_at=NOON)) is None


@pytest.mark.parametrize(("authority", "reason"), [(1, Reason.TOKEN_EXPIRED), (2, None), (3, None)])
def test_a_token_of_older_permissions_has_to_be_renewed(
    revocations: Revocations, authority: int, reason: Reason | None
) -> None:
    revocations.outdate("ana", 2, LATER)
    told = Principal("user", "ana", session_id="s1", authority=authority, issued_at=NOON)
    assert refused(revocations, told) is reason
    assert refused(revocations, Principal("user", "ben", session_id="s9", issued_at=NOON)) is None


def test_what_has_expired_is_forgotten(clock: ManualClock, revocations: Revocations) -> None:
    revocations.end("s1", LATER)
    clock.set(LATER + SECOND)
    revocations.end("s2", LATER + 2 * SECOND)
    assert refused(revocations) is None


def test_too_much_to_remember_becomes_one_rule_that_forgets_nobody(
    monkeypatch: pytest.MonkeyPatch, clock: ManualClock, revocations: Revocations
) -> None:
    monkeypatch.setattr(module, "_ENTRIES_MAX", 3)
    for number in range(4):
        revocations.end(f"s{number}", LATER)
    assert refused(revocations) is Reason.TOKEN_EXPIRED
    fresh = Principal("user", "ana", session_id="s8", authority=1, issued_at=NOON + SECOND)
    assert refused(revocations, fresh) is None


async def test_who_watches_a_session_hears_of_its_end(revocations: Revocations) -> None:
    with (
        revocations.watched("s1") as first,
        revocations.watched("s1") as second,
        revocations.watched("s2") as other,
    ):
        revocations.end("s1", LATER)
        assert (first.done(), second.done(), other.done()) == (True, True, False)
    with revocations.watched("s1") as late:
        assert late.done()

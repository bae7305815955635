"""How long sessions live, and what happens to a refresh token that is presented."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.identity.session import (
    RefreshToken,
    Rotation,
    Session,
    access_expiry,
    first_token,
    judge,
    new_salt,
    refresh_expiry,
    successor_of,
)
from services.kit.clock import utc

NOON = utc(2026, 11, 23, 12)
GRACE = timedelta(seconds=10)
SALT = b"salt" * 8


def _at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def _session(ended_at: datetime | None = None) -> Session:
    return Session(UUID(int=1), UUID(int=2), NOON, _at(1000), NOON, NOON, ended_at)


UNUSED = RefreshToken(expires_at=_at(100))
USED = RefreshToken(expires_at=_at(100), used_at=NOON, successor_salt=SALT)
USED_AND_SUCCEEDED = RefreshToken(expires_at=_at(100), used_at=NOON)


@pytest.mark.parametrize(
    ("token", "seconds", "rotation"),
    [
        (UNUSED, 0, Rotation.ISSUE),
        (UNUSED, 99.999, Rotation.ISSUE),
        (UNUSED, 100, Rotation.REFUSE),
        (USED, 0, Rotation.REPEAT),
        (USED, 9.999, Rotation.REPEAT),
        (USED, 10, Rotation.END),
        (USED, 500, Rotation.END),
        (USED, 1000, Rotation.REFUSE),
        (USED_AND_SUCCEEDED, 0, Rotation.END),
        (USED_AND_SUCCEEDED, 9, Rotation.END),
        (USED_AND_SUCCEEDED, 1000, Rotation.REFUSE),
    ],
)
def test_a_token_presented_in_a_live_session(
    token: RefreshToken, seconds: float, rotation: Rotation
) -> None:
    assert judge(_session(), token, _at(seconds), GRACE) is rotation


@pytest.mark.parametrize("token", [UNUSED, USED, USED_AND_SUCCEEDED])
def test_a_token_of_an_ended_session_changes_nothing(token: RefreshToken) -> None:
    assert judge(_session(ended_at=NOON), token, _at(1), GRACE) is Rotation.REFUSE


def test_without_grace_a_lost_answer_cannot_be_asked_for_again() -> None:
    assert judge(_session(), USED, NOON, timedelta(0)) is Rotation.END


@pytest.mark.parametrize(
    ("now", "lifetime", "expiry"),
    [(0, 100, 100), (950, 100, 1000), (900, 100, 1000), (899, 100, 999)],
)
def test_no_token_outlives_its_session(now: int, lifetime: int, expiry: int) -> None:
    for expiry_of in (access_expiry, refresh_expiry):
        assert expiry_of(_session(), _at(now), timedelta(seconds=lifetime)) == _at(expiry)


def test_an_access_token_expires_on_a_whole_second() -> None:
    assert access_expiry(_session(), _at(0.9), timedelta(seconds=100)) == _at(100)


def test_a_successor_is_the_same_for_the_same_salt_and_only_then() -> None:
    assert successor_of("token", SALT) == successor_of("token", SALT)
    assert successor_of("token", SALT) != successor_of("token", b"other" * 8)
    assert successor_of("token", SALT) != successor_of("other", SALT)


def test_tokens_and_salts_carry_256_random_bits() -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return bytes([len(asked)] * size)

    tokens = {first_token(random), first_token(random)}
    salt = new_salt(random)
    assert (len(tokens), len(salt), asked) == (2, 32, [32, 32, 32])
    assert {len(token) for token in tokens} == {43}

"""Which code somebody has, and when a referral does not count."""

from __future__ import annotations

import pytest

from services.identity.referral import (
    CODE_BYTES,
    Facts,
    Refusal,
    code_of,
    masked,
    refusal_of,
    spelt,
)
from services.identity.user import User
from services.kit.clock import utc
from services.kit.ids import uuid7


@pytest.mark.parametrize(
    ("random", "code"),
    [
        (bytes(CODE_BYTES), "0000000000"),
        (b"\xff" * CODE_BYTES, "ZZZZZZZZZZ"),
        ((1).to_bytes(CODE_BYTES), "1000000000"),
        ((32 * 17).to_bytes(CODE_BYTES), "0H00000000"),
    ],
)
def test_a_code_is_ten_characters_that_are_not_mistaken(random: bytes, code: str) -> None:
    assert code_of(random) == code
    assert spelt(code) == code


@pytest.mark.parametrize("written", ["k0q1-m9xw1b", "KOQI M9XWLB", "koqlm9xwib"])
def test_a_code_is_read_however_it_is_written(written: str) -> None:
    assert spelt(written) == "K0Q1M9XW1B"


@pytest.mark.parametrize(
    ("banned", "at_device", "at_address", "in_cluster", "refusal"),
    [
        (False, False, False, False, None),
        (True, True, True, True, Refusal.REFERRER_BANNED),
        (False, True, True, True, Refusal.SAME_DEVICE),
        (False, False, True, True, Refusal.SAME_ADDRESS),
        (False, False, False, True, Refusal.SAME_CLUSTER),
    ],
)
def test_who_belongs_together_does_not_refer(
    banned: bool, at_device: bool, at_address: bool, in_cluster: bool, refusal: Refusal | None
) -> None:
    assert refusal_of(Facts(banned, at_device, at_address, in_cluster)) is refusal


@pytest.mark.parametrize(
    ("email", "shown"), [("ana@example.com", "a***@e***"), ("b@x.io", "b***@x***")]
)
def test_a_friend_is_known_and_nobody_else_learns_an_address(email: str, shown: str) -> None:
    user = User(uuid7(), email, (), utc(2026, 11, 23))
    assert masked(user) == shown

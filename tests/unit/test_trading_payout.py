"""Payout policies as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trading.payout import Policy, Recent, fixed, win_rate
from services.trading.terms import TermsDefaults

TERMS = TermsDefaults(
    payout_fixed_bp=8_500, payout_min_bp=6_500, payout_max_bp=9_000
).for_instrument("EURUSD")


@pytest.mark.parametrize(
    ("policy", "orders", "winners", "payout_bp"),
    [
        (fixed, 100, 99, 8_500),
        (win_rate, 0, 0, 8_500),
        (win_rate, 9, 9, 8_500),  # too few to say anything
        (win_rate, 10, 2, 8_000),
        (win_rate, 10, 3, 7_000),
        (win_rate, 10, 0, 9_000),  # never above the largest
        (win_rate, 10, 10, 6_500),  # never below the smallest
        (win_rate, 30, 8, 7_333),  # 73.33…, floored
    ],
)
def test_payouts(policy: Policy, orders: int, winners: int, payout_bp: int) -> None:
    assert policy(TERMS, Recent(orders, winners)) == payout_bp


@given(orders=st.integers(0, 10**6), share=st.integers(0, 100))
def test_a_payout_keeps_within_its_bounds(orders: int, share: int) -> None:
    payout_bp = win_rate(TERMS, Recent(orders, orders * share // 100))
    assert TERMS.payout_min_bp <= payout_bp <= TERMS.payout_max_bp

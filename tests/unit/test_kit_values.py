from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.clock import utc
from services.kit.values import Money, Period, Price, basis_points_of, parse_price

DAY, WEEK, MONTH = Period
THURSDAY = date(2026, 11, 26)
INT64 = st.integers(-(2**63) + 1, 2**63 - 1)


@pytest.mark.parametrize(
    ("text", "scale", "mantissa"),
    [
        ("1.08345", 5, 108345),
        ("1.08345", 8, 108345000),
        ("64000", 2, 6400000),
        ("64000.", 2, 6400000),
        (".5", 2, 50),
        ("+1.5", 1, 15),
        ("-1.5", 1, -15),
        ("0", 5, 0),
        ("007", 0, 7),
        ("1e-5", 6, 10),
        ("2.5E3", 0, 2500),
        ("0.1", 18, 10**17),
        # Finer than the scale: half to even.
        ("1.005", 2, 100),
        ("1.015", 2, 102),
        ("1.0050000001", 2, 101),
        ("-1.005", 2, -100),
        ("9223372036854775807", 0, 2**63 - 1),
    ],
)
def test_a_price_is_read_exactly(text: str, scale: int, mantissa: int) -> None:
    assert parse_price(text, scale) == mantissa


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "-", "e5", "1e", "nan", "NaN", "sNaN", "inf", "-Infinity",
        "1,5", "1_000", "0x10", " 1", "1 ", "1\n", "--1", "1.2.3", "\u0661", "1e999",
        "9223372036854775808", "9" * 31, "1e99", "0." + "1" * 31,
    ],
)  # fmt: skip
def test_garbage_is_not_a_price(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a decimal|too large"):
        parse_price(text, 0)


@pytest.mark.parametrize("scale", [-1, 19])
def test_a_scale_has_bounds(scale: int) -> None:
    with pytest.raises(ValueError, match="scale"):
        parse_price("1", scale)


@given(INT64, st.integers(0, 18))
def test_a_price_reads_back_as_written(mantissa: int, scale: int) -> None:
    assert parse_price(str(Price(mantissa, scale)), scale) == mantissa


@given(st.decimals(-1_000_000, 1_000_000, places=9), st.integers(0, 9))
def test_reading_a_price_is_off_by_half_a_step_at_most(price: Decimal, scale: int) -> None:
    exact = Fraction(price) * 10**scale

    assert abs(parse_price(format(price, "f"), scale) - exact) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("amount", "basis_points", "share"),
    [
        (100, 8500, 85),
        (101, 8500, 85),
        (1, 8500, 0),
        (0, 8500, 0),
        (100, 0, 0),
        (100, 10_000, 100),
        (-1, 8500, -1),
        (-100, 8500, -85),
        (10**18, 9999, 9999 * 10**14),
    ],
)
def test_a_share_is_floored_to_the_minor_unit(amount: int, basis_points: int, share: int) -> None:
    assert basis_points_of(amount, basis_points) == share


@given(INT64, st.integers(0, 20_000))
def test_a_share_is_the_largest_whole_amount_not_above_the_exact_one(
    amount: int, basis_points: int
) -> None:
    exact = Fraction(amount * basis_points, 10_000)

    assert 0 <= exact - basis_points_of(amount, basis_points) < 1


def test_values_are_values() -> None:
    assert {Money(100, "USD"), Money(100, "USD")} == {Money(100, "USD")}
    assert Money(100, "USD") != Money(100, "EUR")
    assert str(Price(108345, 5)) == "1.08345"
    assert str(Price(-5, 3)) == "-0.005"


@pytest.mark.parametrize(
    ("period", "day", "start", "end"),
    [
        (DAY, THURSDAY, THURSDAY, utc(2026, 11, 27)),
        (DAY, date(2026, 12, 31), date(2026, 12, 31), utc(2027, 1, 1)),
        (WEEK, THURSDAY, date(2026, 11, 23), utc(2026, 11, 30)),
        (WEEK, date(2026, 11, 23), date(2026, 11, 23), utc(2026, 11, 30)),
        (WEEK, date(2026, 11, 29), date(2026, 11, 23), utc(2026, 11, 30)),
        (WEEK, date(2026, 11, 30), date(2026, 11, 30), utc(2026, 12, 7)),
        (MONTH, THURSDAY, date(2026, 11, 1), utc(2026, 12, 1)),
        (MONTH, date(2026, 12, 15), date(2026, 12, 1), utc(2027, 1, 1)),
        (MONTH, date(2026, 12, 31), date(2026, 12, 1), utc(2027, 1, 1)),
        (MONTH, date(2027, 1, 31), date(2027, 1, 1), utc(2027, 2, 1)),
        (MONTH, date(2027, 2, 1), date(2027, 2, 1), utc(2027, 3, 1)),
    ],
)
def test_periods_are_those_of_the_calendar(
    period: Period, day: date, start: date, end: datetime
) -> None:
    assert (period.start(day), period.end(day)) == (start, end)

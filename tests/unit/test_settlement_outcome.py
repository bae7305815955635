"""How orders close, by direction, entry price and fixing."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.clock import utc
from services.settlement.fixing import Fixing, Point, Tick, VoidReason
from services.settlement.outcome import (
    RULE_VERSION,
    Decision,
    Direction,
    DueOrder,
    Outcome,
    decide,
    outcome_of,
)

NOON = utc(2026, 11, 23, 12)
ORDER = UUID(int=7)
UP, DOWN = Direction.UP, Direction.DOWN
WIN, LOSS, DRAW, VOID = Outcome.WIN, Outcome.LOSS, Outcome.DRAW, Outcome.VOID

mantissas = st.integers(0, 2**63 - 1)
directions = st.sampled_from(Direction)


def due(direction: Direction = UP, entry_price: int = 100) -> DueOrder:
    return DueOrder(ORDER, "EURUSD", direction, entry_price, NOON)


def fixing(price: int | None, void_reason: VoidReason | None = None) -> Fixing:
    tick = None if price is None else Tick(9, price, 5, NOON - timedelta(milliseconds=3), None)
    return Fixing(Point("EURUSD", NOON), tick, void_reason, (), (), NOON, NOON, 1)


@pytest.mark.parametrize(
    ("direction", "entry", "close", "outcome"),
    [
        (UP, 100, 101, WIN),
        (UP, 100, 99, LOSS),
        (UP, 100, 100, DRAW),
        (UP, 100, None, VOID),
        (DOWN, 100, 99, WIN),
        (DOWN, 100, 101, LOSS),
        (DOWN, 100, 100, DRAW),
        (DOWN, 100, None, VOID),
        (UP, 0, 0, DRAW),
        (DOWN, 1, 0, WIN),
        (UP, 2**63 - 2, 2**63 - 1, WIN),
    ],
)
def test_how_an_order_closes(
    direction: Direction, entry: int, close: int | None, outcome: Outcome
) -> None:
    assert outcome_of(direction, entry, close) is outcome


@given(mantissas, mantissas)
def test_one_direction_wins_exactly_when_the_other_loses(entry: int, close: int) -> None:
    both = {outcome_of(UP, entry, close), outcome_of(DOWN, entry, close)}
    assert both == ({DRAW} if entry == close else {WIN, LOSS})


@given(directions, mantissas, st.none() | mantissas)
def test_an_outcome_depends_only_on_where_the_price_went(
    direction: Direction, entry: int, close: int | None
) -> None:
    went = None if close is None else (close > entry) - (close < entry)
    expected = {None: VOID, 0: DRAW, 1: WIN if direction is UP else LOSS}
    assert outcome_of(direction, entry, close) is expected.get(
        went, WIN if direction is DOWN else LOSS
    )


@pytest.mark.parametrize("reason", list(VoidReason))
def test_a_void_fixing_voids_either_direction_and_says_why(reason: VoidReason) -> None:
    for direction in Direction:
        decision = decide(due(direction), fixing(None, reason))
        assert (decision.outcome, decision.void_reason) == (VOID, reason)


def test_a_decision_names_order_point_and_rule() -> None:
    decision = decide(due(DOWN, 100), fixing(98))
    assert decision == Decision(ORDER, Point("EURUSD", NOON), WIN, None, RULE_VERSION)
    assert decision.point == due().point

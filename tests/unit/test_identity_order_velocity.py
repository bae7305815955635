"""Which orders of several users look like those of one."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.identity.flag import Rule
from services.identity.order_velocity import Activity, Velocity, bursts, crowd

MOST = Velocity(orders_per_device=10, orders_per_address=20, traders_per_device=2, address_users=3)
ANA, BEN, CAI, DOT = (UUID(int=number) for number in (1, 2, 3, 4))
HOME, LAPTOP = "192.0.2.7", "a-laptop"


@pytest.mark.parametrize(
    ("activity", "found"),
    [
        ([], []),
        ([(HOME, LAPTOP, ANA, 500)], []),
        ([(HOME, LAPTOP, ANA, 5), (HOME, LAPTOP, BEN, 5)], []),
        ([(HOME, LAPTOP, ANA, 5), (HOME, LAPTOP, BEN, 6)], [(Rule.ORDERS_PER_DEVICE, BEN)]),
        ([(HOME, LAPTOP, ANA, 6), ("", LAPTOP, BEN, 6)], [(Rule.ORDERS_PER_DEVICE, ANA)]),
        ([(HOME, "", ANA, 11), (HOME, "", BEN, 10)], [(Rule.ORDERS_PER_ADDRESS, ANA)]),
        ([(HOME, "", user, 30) for user in (ANA, BEN, CAI, DOT)], []),
        ([("unknown", "", ANA, 30), ("unknown", "", BEN, 30)], []),
        (
            [(HOME, LAPTOP, ANA, 3), (HOME, LAPTOP, ANA, 9), (HOME, LAPTOP, BEN, 9)],
            [(Rule.ORDERS_PER_ADDRESS, ANA), (Rule.ORDERS_PER_DEVICE, ANA)],
        ),
    ],
)
def test_a_place_is_looked_at_when_several_users_order_too_much_there(
    activity: list[tuple[str, str, UUID, int]], found: list[tuple[Rule, UUID]]
) -> None:
    findings = bursts([Activity(*each) for each in activity], MOST)
    assert [(each.rule, each.user_id) for each in findings] == found


def test_a_finding_names_the_others_and_no_place() -> None:
    users = [UUID(int=number) for number in range(1, 14)]
    (finding,) = bursts([Activity("", LAPTOP, user, 5) for user in users], MOST)
    assert finding.detail.startswith(f"65 orders within a minute, together with {users[1]}, ")
    assert finding.detail.endswith(" and 2 more")
    assert LAPTOP not in finding.detail


@pytest.mark.parametrize(("traders", "found"), [(1, []), (2, []), (3, [Rule.TRADERS_PER_DEVICE])])
def test_a_device_is_looked_at_when_more_trade_there_than_a_household(
    traders: int, found: list[Rule]
) -> None:
    assert [each.rule for each in crowd(ANA, traders, MOST)] == found

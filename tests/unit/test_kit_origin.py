"""Where a call comes from, as it is told and as it is kept."""

import pytest

from services.kit.origin import AGENT_LENGTH_MAX, Origin, peer_address, told_agent

pytestmark = pytest.mark.security


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:53412", "127.0.0.1"),
        ("ipv6:%5B::1%5D:53412", "::1"),
        ("ipv6:[2001:db8::7]:80", "2001:db8::7"),
        ("unix:/run/x.sock", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_peer_is_where_its_connection_comes_from(peer: str, address: str) -> None:
    assert peer_address(peer) == address


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("unknown", "unknown"),
    ],
)
def test_the_network_around_an_address_names_nobody(address: str, network: str) -> None:
    assert Origin(address).network == network


def test_a_program_is_told_in_printable_ascii_and_not_for_ever() -> None:
    assert told_agent("Mozilla/5.0\r\nX: y\0 café ") == "Mozilla/5.0X: y caf"
    assert len(told_agent("a" * 10_000)) == AGENT_LENGTH_MAX

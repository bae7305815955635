"""Who hangs together, what raises a flag, and in which country an address is."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from services.identity.device import Device
from services.identity.flag import Facts, Rule, Thresholds, tripped
from services.identity.geography import CountryFile
from services.identity.session import Session
from services.identity.trace import Bounds, Kind, Trace, clusters, sightings
from services.kit.clock import utc

NOON = utc(2026, 11, 26, 12)
ANA, BEN, CAI, DOT, EVE = (UUID(int=number) for number in range(1, 6))
WELL = Facts(5, 4, 1, with_banned=False, with_excluded=False)
MOST = Thresholds(
    new_users_per_address=5, new_users_per_device=2, devices_per_user=4, countries_per_user=1
)


@pytest.mark.parametrize(
    ("shared", "found"),
    [
        ([], []),
        ([[ANA, BEN]], [{ANA, BEN}]),
        ([[ANA, BEN], [CAI, DOT]], [{ANA, BEN}, {CAI, DOT}]),
        ([[ANA, BEN], [BEN, CAI]], [{ANA, BEN, CAI}]),
        ([[ANA, BEN], [CAI, DOT], [DOT, EVE], [EVE, ANA]], [{ANA, BEN, CAI, DOT, EVE}]),
    ],
)
def test_who_shares_something_with_one_of_a_cluster_belongs_to_it(
    shared: list[list[UUID]], found: list[set[UUID]]
) -> None:
    assert sorted(clusters(shared), key=min) == found


@pytest.mark.parametrize(
    ("kind", "users", "links"),
    [
        (Kind.ADDRESS, 1, False),
        (Kind.ADDRESS, 2, True),
        (Kind.ADDRESS, 5, True),
        (Kind.ADDRESS, 6, False),
        (Kind.DEVICE, 6, True),
        (Kind.DEVICE, 21, False),
    ],
)
def test_what_too_many_share_links_nobody(kind: Kind, users: int, links: bool) -> None:
    trace = Trace(kind, "x", ANA, "", "", NOON, NOON, users)

    assert Bounds(device_users=20, address_users=5).links(trace) is links


@pytest.mark.parametrize(
    ("address", "cookie", "kinds"),
    [
        ("192.0.2.7", "c00c1e", [Kind.DEVICE, Kind.ADDRESS]),
        ("192.0.2.7", "", [Kind.ADDRESS]),
        ("unknown", "c00c1e", [Kind.DEVICE]),
        ("unknown", "", []),
    ],
)
def test_what_is_not_known_is_no_trace(address: str, cookie: str, kinds: list[Kind]) -> None:
    device = Device("", address, "Firefox", cookie)
    later = NOON + timedelta(days=30)
    session = Session(BEN, ANA, NOON, later, NOON, NOON, device=device)

    assert [sighting.kind for sighting in sightings(session)] == kinds


@pytest.mark.parametrize(
    ("kind", "facts", "rules"),
    [
        (Kind.ADDRESS, WELL, []),
        (Kind.ADDRESS, WELL._replace(new_users=6), [Rule.NEW_USERS_PER_ADDRESS]),
        (Kind.ADDRESS, WELL._replace(countries=2), [Rule.COUNTRIES_PER_USER]),
        (Kind.ADDRESS, WELL._replace(with_banned=True, new_devices=9), []),
        (Kind.DEVICE, WELL._replace(new_users=2), []),
        (Kind.DEVICE, WELL._replace(new_users=3), [Rule.NEW_USERS_PER_DEVICE]),
        (Kind.DEVICE, WELL._replace(new_users=1, new_devices=5), [Rule.DEVICES_PER_USER]),
        (Kind.DEVICE, WELL._replace(new_users=1, with_banned=True), [Rule.DEVICE_OF_BANNED_USER]),
        (
            Kind.DEVICE,
            WELL._replace(new_users=1, with_excluded=True),
            [Rule.DEVICE_OF_EXCLUDED_USER],
        ),
    ],
)
def test_each_rule_has_its_threshold(kind: Kind, facts: Facts, rules: list[Rule]) -> None:
    assert [rule for rule, _ in tripped(kind, facts, MOST)] == rules


@pytest.fixture(scope="module")
def country_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that knows two networks, one of them without a country."""
    path = tmp_path_factory.mktemp("geography") / "countries.mmdb"
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    writer.insert_network(IPSet(["192.0.2.0/24", "2001:db8::/32"]), {"country": {"iso_code": "DE"}})
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"continent": {"code": "EU"}})
    writer.to_db_file(str(path))
    return path


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("192.0.2.7", "DE"),
        ("2001:db8:1:2::/64", "DE"),
        ("198.51.100.7", ""),
        ("203.0.113.7", ""),
        ("unknown", ""),
    ],
)
def test_a_file_says_in_which_country_an_address_is(
    country_file: Path, address: str, country: str
) -> None:
    assert CountryFile(country_file).of(address) == country


def test_what_is_no_database_keeps_identity_from_starting(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"nothing")

    with pytest.raises(SystemExit, match="VERITICK_COUNTRY_FILE"):
        CountryFile(tmp_path / "empty")

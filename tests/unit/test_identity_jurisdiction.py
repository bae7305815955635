"""Who may hold an account with real money."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from services.identity.device import described
from services.identity.jurisdiction import Jurisdiction, Requirement, age_on, parse_birth_date
from services.identity.user import User
from services.kit.clock import utc

TODAY = date(2026, 11, 26)
RULES = Jurisdiction(frozenset({"DE", "AT"}), 18, "v7")
READY = User(
    UUID(int=1),
    "ana@example.com",
    (),
    utc(2026, 11, 1),
    email_confirmed=True,
    country="DE",
    birth_date=date(2008, 11, 26),
    agreement_version="v7",
)


def test_who_meets_everything_lacks_nothing() -> None:
    assert RULES.missing(READY, TODAY) == ()


@pytest.mark.parametrize(("location", "may"), [("AT", True), ("FR", False), ("", False)])
def test_where_places_are_known_one_has_to_be_where_real_accounts_are_offered(
    location: str, may: bool
) -> None:
    lacks = () if may else (Requirement.LOCATION_ALLOWED,)

    assert RULES.missing(READY, TODAY, location) == lacks


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        ({"email_confirmed": False}, Requirement.EMAIL_CONFIRMED),
        ({"country": ""}, Requirement.COUNTRY),
        ({"country": "FR"}, Requirement.COUNTRY_ALLOWED),
        ({"birth_date": None}, Requirement.BIRTH_DATE),
        ({"birth_date": date(2008, 11, 27)}, Requirement.AGE),
        ({"agreement_version": "v6"}, Requirement.AGREEMENT),
        ({"agreement_version": ""}, Requirement.AGREEMENT),
    ],
)
def test_each_requirement_is_missed_by_itself(
    change: dict[str, object], lacks: Requirement
) -> None:
    assert RULES.missing(replace(READY, **change), TODAY) == (lacks,)  # type: ignore[arg-type]


def test_without_a_list_nobody_may() -> None:
    nowhere = Jurisdiction(frozenset(), 18, "v7")
    assert nowhere.missing(READY, TODAY) == (Requirement.COUNTRY_ALLOWED,)


@pytest.mark.parametrize(
    ("born", "today", "years"),
    [
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2000, 12, 31), date(2026, 12, 31), 26),
    ],
)
def test_age_is_whole_years(born: date, today: date, years: int) -> None:
    assert age_on(born, today) == years


@pytest.mark.parametrize(
    ("written", "born"),
    [
        ("2000-02-29", date(2000, 2, 29)),
        ("2001-02-29", None),
        ("2026-11-27", None),
        ("1895-01-01", None),
        ("yesterday", None),
    ],
)
def test_a_birth_date_is_a_day_on_which_somebody_alive_was_born(
    written: str, born: date | None
) -> None:
    assert parse_birth_date(written, TODAY) == born


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) CriOS/140.0 Safari/604.1",
            "Chrome on iPhone",
        ),
        ("python-httpx/0.28.1", "python-httpx"),
        ("", "Unknown device"),
    ],
)
def test_a_device_is_named_in_words_its_owner_recognises(agent: str, name: str) -> None:
    assert described(agent) == name

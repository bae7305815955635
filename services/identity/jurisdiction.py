"""Who may hold an account with real money (rules.md, "Protection": jurisdictions and age)."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.identity.user import User

_OLDEST_YEARS = 130


class Requirement(StrEnum):
    """What a user still lacks."""

    EMAIL_CONFIRMED = "EMAIL_CONFIRMED"
    COUNTRY = "COUNTRY"
    COUNTRY_ALLOWED = "COUNTRY_ALLOWED"
    BIRTH_DATE = "BIRTH_DATE"
    AGE = "AGE"
    AGREEMENT = "AGREEMENT"
    LOCATION_ALLOWED = "LOCATION_ALLOWED"


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """Where and from what age real accounts are offered; by default nowhere."""

    countries: frozenset[str]
    """ISO 3166 codes of the countries in which one may hold a real account."""

    age_min: int
    agreement_version: str
    """The version of the user agreement that counts."""

    def missing(
        self, user: User, today: date, location: str | None = None
    ) -> tuple[Requirement, ...]:
        """Return what a user lacks for a real account; nothing for who may hold one.

        `location` is the country where the user is, as far as it is known: the empty text, which
        is no country that is allowed, where it is not. None where nobody can tell of anybody.
        """
        found = [
            (Requirement.EMAIL_CONFIRMED, not user.email_confirmed),
            (Requirement.COUNTRY, not user.country),
            (
                Requirement.COUNTRY_ALLOWED,
                bool(user.country) and user.country not in self.countries,
            ),
            (Requirement.BIRTH_DATE, user.birth_date is None),
            (Requirement.AGE, user.birth_date is not None and self._too_young(user, today)),
            (Requirement.AGREEMENT, user.agreement_version != self.agreement_version),
            (
                Requirement.LOCATION_ALLOWED,
                location is not None and location not in self.countries,
            ),
        ]
        return tuple(requirement for requirement, lacks in found if lacks)

    def _too_young(self, user: User, today: date) -> bool:
        return user.birth_date is None or age_on(user.birth_date, today) < self.age_min


def age_on(born: date, today: date) -> int:
    """Return a person's age in whole years. Who was born on 29 February has it from 1 March."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def parse_birth_date(written: str, today: date) -> date | None:
    """Return the date, or None when nobody alive can have been born on it."""
    try:
        born = date.fromisoformat(written)
    except ValueError:
        return None
    return born if born <= today and age_on(born, today) <= _OLDEST_YEARS else None

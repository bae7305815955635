"""The letters that identity writes to users, and how long what is in them counts.

What they say stands in `words/`, a file for each language.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from string import Template

LANGUAGES = ("en", "es", "ru")
"""The languages that users are written to in: those of the terminal."""

DEFAULT_LANGUAGE = "en"


class LetterKind(StrEnum):
    """Why a user is written to."""

    CONFIRM_EMAIL = "CONFIRM_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105  a kind, no secret
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105  a kind, no secret
    NEW_DEVICE = "NEW_DEVICE"
    SECOND_FACTOR_ON = "SECOND_FACTOR_ON"
    SECOND_FACTOR_OFF = "SECOND_FACTOR_OFF"
    RECOVERY_CODES_RENEWED = "RECOVERY_CODES_RENEWED"
    SECOND_FACTOR_RESET = "SECOND_FACTOR_RESET"
    """Taken away by staff, since it was lost."""

    PASSKEY_ADDED = "PASSKEY_ADDED"
    PASSKEY_REMOVED = "PASSKEY_REMOVED"
    KEY_CREATED = "KEY_CREATED"
    BANNED = "BANNED"
    SUSPENDED = "SUSPENDED"
    """Banned until a moment."""

    BAN_LIFTED = "BAN_LIFTED"
    ERASURE_ASKED = "ERASURE_ASKED"
    ERASURE_WITHDRAWN = "ERASURE_WITHDRAWN"
    ERASURE_BEGUN = "ERASURE_BEGUN"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail ready to be sent."""

    recipient: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Text:
    """What a kind of letter says in one language, with `$names` in the place of facts."""

    subject: Template
    body: Template

    def names(self) -> set[str]:
        """Return the names of the facts that it tells."""
        return {*self.subject.get_identifiers(), *self.body.get_identifiers()}

    def mail(self, recipient: str, facts: Mapping[str, str]) -> Mail:
        """Return the mail that tells these facts; KeyError for a name without one."""
        return Mail(recipient, self.subject.substitute(facts), self.body.substitute(facts))


Wording = Mapping[str, Mapping[LetterKind, Text]]
"""Every text, by language and kind."""

LIFETIMES = {
    LetterKind.CONFIRM_EMAIL: timedelta(days=3),
    LetterKind.RESET_PASSWORD: timedelta(hours=1),
}
"""How long the link in a letter works; a kind that is not here has none."""

_PATHS = {
    LetterKind.CONFIRM_EMAIL: "confirm-email",
    LetterKind.RESET_PASSWORD: "reset-password",
}
_SECURITY_PATH = "account/security"


def link(kind: LetterKind, site_url: str, token: str = "") -> str:
    """Return where a letter leads: to a page of its own, or where one looks after one's security.

    What follows the `#` stays in the browser: no log will know the token.
    """
    page = f"{site_url.rstrip('/')}/{_PATHS.get(kind, _SECURITY_PATH)}"
    return f"{page}#token={token}" if token else page


def moment(time: datetime) -> str:
    """Return a time as letters in every language tell it."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

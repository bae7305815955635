"""The letters that identity writes to users: what they say, and how long what is in them counts."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class LetterKind(StrEnum):
    """Why a user is written to."""

    CONFIRM_EMAIL = "CONFIRM_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105  a kind, no secret
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105  a kind, no secret


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail ready to be sent."""

    recipient: str
    subject: str
    body: str


LIFETIMES = {
    LetterKind.CONFIRM_EMAIL: timedelta(days=3),
    LetterKind.RESET_PASSWORD: timedelta(hours=1),
}
"""How long the link in a letter works; a kind that is not here has none."""

_PATHS = {
    LetterKind.CONFIRM_EMAIL: "confirm-email",
    LetterKind.RESET_PASSWORD: "reset-password",
}


def link(kind: LetterKind, site_url: str, token: str) -> str:
    """Return where a letter leads. What follows the `#` stays in the browser: no log will know."""
    return f"{site_url.rstrip('/')}/{_PATHS[kind]}#token={token}"


def write(kind: LetterKind, recipient: str, address: str) -> Mail:
    """Return the mail of a kind; `address` is the link in it, or empty where there is none."""
    match kind:
        case LetterKind.CONFIRM_EMAIL:
            return Mail(
                recipient,
                "Confirm your mail address",
                "Welcome to Veritick.\n\nOpen this link to confirm that this address is yours. It "
                f"works for three days:\n\n{address}\n\n"
                "If you did not sign up, do nothing: without you nothing happens.\n",
            )
        case LetterKind.RESET_PASSWORD:
            return Mail(
                recipient,
                "Choose a new password",
                "Somebody asked for a new password for your Veritick account.\n\nOpen this link to "
                f"choose one. It works once, for an hour:\n\n{address}\n\n"
                "If that was not you, do nothing: your password stays as it is.\n",
            )
        case LetterKind.PASSWORD_CHANGED:
            return Mail(
                recipient,
                "Your password was changed",
                "The password of your Veritick account was changed, and every other session was "
                "signed out.\n\nIf that was not you, choose a new password at once: on the sign-in "
                "page, with the words *Forgot your password?*\n",
            )

"""Which passwords may be chosen: by the rules of `password`, and by what is known from breaches.

Without a list of an operator's own, what leaked most often is known by `zxcvbn`: 30,000 passwords,
and the names and words of which people make more. It tells how many guesses a password takes.
"""

import re
from collections.abc import Container

from zxcvbn import zxcvbn

from services.identity.password import PASSWORD_LENGTH_MIN, normalised, weakness
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason

_JUDGED_LENGTH = 20
"""What follows is not looked at: the time to judge grows much faster than the length."""

_SCORE_MIN = 2
"""Below it, a million guesses suffice: too few even where each has to be asked of a server."""

_SITE = "veritick"


class Strength:
    """Judges passwords before they are hashed."""

    def __init__(self, breached: Container[str] = ()) -> None:
        """Refuse `breached` passwords as well."""
        self._breached = breached

    def require(self, password: str, key: str, field: str = "password") -> None:
        """Raise PASSWORD_TOO_WEAK, about this field, for a password that is guessed first."""
        chosen = normalised(password)
        problem = weakness(chosen, key)
        if problem is None and _is_soon_guessed(chosen, key):
            problem = "is one of the first that anyone would guess"
        if problem is None and (chosen in self._breached or password in self._breached):
            problem = "is known from a breach elsewhere"
        if problem is not None:
            raise Failure(
                Reason.PASSWORD_TOO_WEAK,
                f"The password {problem}.",
                metadata={"min_length": str(PASSWORD_LENGTH_MIN)},
                violations=[Violation(field, problem)],
            )


def _is_soon_guessed(password: str, key: str) -> bool:
    """Tell whether the beginning of a password is soon guessed by who knows the mail address."""
    known = [_SITE, *re.split(r"[\W_]+", key)]
    return bool(zxcvbn(password[:_JUDGED_LENGTH], known)["score"] < _SCORE_MIN)

"""Which passwords may be chosen: by the rules of `password`, and by what is known from breaches."""

from collections.abc import Container

from services.identity.password import PASSWORD_LENGTH_MIN, normalised, weakness
from services.kit.errors import Failure, Violation
from services.kit.reason import Reason


class Strength:
    """Judges passwords before they are hashed."""

    def __init__(self, breached: Container[str] = ()) -> None:
        """Refuse `breached` passwords as well."""
        self._breached = breached

    def require(self, password: str, key: str, field: str = "password") -> None:
        """Raise PASSWORD_TOO_WEAK, about this field, for a password that is guessed first."""
        chosen = normalised(password)
        problem = weakness(chosen, key)
        if problem is None and (chosen in self._breached or password in self._breached):
            problem = "is known from a breach elsewhere"
        if problem is not None:
            raise Failure(
                Reason.PASSWORD_TOO_WEAK,
                f"The password {problem}.",
                metadata={"min_length": str(PASSWORD_LENGTH_MIN)},
                violations=[Violation(field, problem)],
            )

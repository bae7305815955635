"""What may break a house rule, and why. This list only shrinks: one no longer needed fails."""

from collections.abc import Mapping

from tests.style import rules
from tests.style.rules import Rule

EXCEPTIONS: Mapping[tuple[Rule, str], str] = {
    (rules.time_and_ids_are_arguments, "services/kit/request_id.py"): (
        "the id of a call that came without one is for the logs alone; no rule depends on it"
    ),
    (rules.time_and_ids_are_arguments, "services/local/platform.py"): (
        "the time of day beside a line of news, for the person who reads it"
    ),
}

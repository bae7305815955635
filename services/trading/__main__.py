"""`python -m services.trading serve|migrate|audit [--book NAME] [--full]`."""

import sys

from services.kit import process
from services.trading.app import NAME, build, migrate
from services.trading.audit_command import audit
from services.trading.settings import Settings

_USAGE = "usage: python -m services.trading serve | migrate | audit [--book NAME] [--full]"


def main() -> None:
    """Run the command that the arguments name."""
    match sys.argv[1:]:
        case ["audit", *arguments]:
            audit(arguments)
        case ["serve"] | ["migrate"]:
            process.main(NAME, Settings, build, migrate)
        case _:
            raise SystemExit(_USAGE)


if __name__ == "__main__":
    main()

"""`python -m services.identity serve|migrate|create-admin --email …`."""

import sys

from services.identity.admin import create_admin
from services.identity.app import NAME, build, migrate
from services.identity.settings import Settings
from services.kit import process

_USAGE = "usage: python -m services.identity serve | migrate | create-admin --email ADDRESS"


def main() -> None:
    """Run the command that the arguments name."""
    match sys.argv[1:]:
        case ["create-admin", *arguments]:
            create_admin(arguments)
        case ["serve"] | ["migrate"]:
            process.main(NAME, Settings, build, migrate)
        case _:
            raise SystemExit(_USAGE)


if __name__ == "__main__":
    main()

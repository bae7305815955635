"""`python -m services.identity serve|migrate|create-admin --email …|check-audit-trail`."""

import sys

from services.identity.admin import create_admin
from services.identity.app import NAME, build, migrate
from services.identity.audit_command import check_audit_trail
from services.identity.settings import Settings
from services.kit import process

_USAGE = (
    "usage: python -m services.identity "
    "serve | migrate | create-admin --email ADDRESS | check-audit-trail"
)


def main() -> None:
    """Run the command that the arguments name."""
    match sys.argv[1:]:
        case ["create-admin", *arguments]:
            create_admin(arguments)
        case ["check-audit-trail"]:
            check_audit_trail()
        case ["serve"] | ["migrate"]:
            process.main(NAME, Settings, build, migrate)
        case _:
            raise SystemExit(_USAGE)


if __name__ == "__main__":
    main()

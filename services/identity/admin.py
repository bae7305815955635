"""`create-admin`: the first person with the role `admin`, made by whoever holds the database.

A password is never an argument, where other users of the machine could read it. It is asked for
at a terminal, or read as one line from standard input; an empty one is replaced by a generated
password, which is shown once, and counts for a day: whoever signs in chooses another until then.
"""

import argparse
import asyncio
import getpass
import logging
import secrets
import sys
from datetime import timedelta

import structlog

from services.identity.app import administration
from services.identity.permission import Role
from services.identity.registration import NewUser
from services.identity.settings import Settings
from services.kit.database import DatabaseUnavailable
from services.kit.errors import Failure
from services.kit.settings import load_settings

_GENERATED_BYTES = 18
_GENERATED_LASTS = timedelta(hours=24)
_LINE_LENGTH_MAX = 256


def create_admin(arguments: list[str]) -> None:
    """Run the command; SystemExit says what was wrong."""
    parser = argparse.ArgumentParser("python -m services.identity create-admin")
    parser.add_argument("--email", required=True, help="the mail address that will sign in")
    email: str = parser.parse_args(arguments).email
    settings = load_settings(Settings)
    # A person reads the output: only what went wrong is worth a log line.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    given = _asked_password()
    password = given or secrets.token_urlsafe(_GENERATED_BYTES)
    try:
        lasts = None if given else _GENERATED_LASTS
        user_id = asyncio.run(_register(settings, NewUser(email, password, password_lasts=lasts)))
    except (Failure, DatabaseUnavailable) as refusal:
        raise SystemExit(f"create-admin: {refusal}") from None
    sys.stdout.write(f"created {email} as {user_id} with the role {Role.ADMIN}\n")
    if settings.demands_second_factor:
        sys.stdout.write("its permissions count once it has a second factor\n")
    if not given:
        sys.stdout.write(f"password, shown only now: {password}\n")
        sys.stdout.write("it works for 24 hours: choose another until then\n")


def _asked_password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password (empty: generate one): ")
    return sys.stdin.readline(_LINE_LENGTH_MAX + 1).rstrip("\r\n")


async def _register(settings: Settings, wanted: NewUser) -> str:
    async with administration(settings) as registration:
        user = await registration.register(wanted, Role.ADMIN)
        return str(user.user_id)

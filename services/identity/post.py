"""The post: letters are queued with what they tell, and sent by a loop that gives up late."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import letters, mail_tokens, users
from services.identity.ground import Ground
from services.identity.letter import (
    DEFAULT_LANGUAGE,
    LIFETIMES,
    LetterKind,
    Mail,
    Wording,
    link,
)
from services.identity.letters import Letter, Outcome
from services.identity.mailers import Mailer, MailRefused
from services.identity.session import digest_of, first_token
from services.kit.database import DatabaseUnavailable

NO_FACTS: Mapping[str, str] = {}
_TOGETHER = 20
_LOOK_EVERY_SECONDS = 1.0
# Longer than handing one batch over may take, so that no letter is sent twice without need.
_CLAIM = timedelta(minutes=10)
_ATTEMPTS_MAX = 8
_FIRST_RETRY = timedelta(seconds=15)
_log = structlog.stdlib.get_logger()


class Post:
    """Queues letters, and sends them."""

    def __init__(self, ground: Ground, mailer: Mailer, site_url: str, wording: Wording) -> None:
        """Hand letters to `mailer`, with links to pages below `site_url`."""
        self._database = ground.database
        self._mailer = mailer
        self._site_url = site_url
        self._wording = wording
        self._clock = ground.clock
        self._ids = ground.ids
        self._random = ground.random
        self._queued = asyncio.Event()

    async def queue(
        self,
        connection: AsyncConnection,
        kind: LetterKind,
        address_key: str,
        facts: Mapping[str, str] = NO_FACTS,
    ) -> None:
        """Queue a letter in the caller's transaction; after it, the caller may `hurry`."""
        letter = Letter(self._ids(), kind, address_key, facts)
        await letters.queue(connection, letter, self._clock.now())

    def hurry(self) -> None:
        """Send what was queued now rather than within a second."""
        self._queued.set()

    async def run(self) -> None:
        """Send letters for ever; an outage of the database only delays them."""
        while True:
            self._queued.clear()
            try:
                while await self.send_due():
                    pass
            except DatabaseUnavailable as error:
                _log.warning("the post waits for the database", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_SECONDS):
                    await self._queued.wait()

    async def send_due(self) -> int:
        """Send some of the letters that are due; return how many there were."""
        now = self._clock.now()
        async with self._database.transaction() as connection:
            due = await letters.claim(connection, now, now + _CLAIM, _TOGETHER)
        for letter in due:
            await self._send(letter)
        return len(due)

    async def _send(self, letter: Letter) -> None:
        async with self._database.transaction() as connection:
            mail = await self._written(connection, letter)
            if mail is None:
                await letters.finish(connection, letter.letter_id, Outcome.NOBODY)
                return
        try:
            await self._mailer.deliver(mail)
        except MailRefused as error:
            _log.warning("a letter was not taken", letter=str(letter.letter_id), reason=str(error))
            await self._refused(letter)
            return
        async with self._database.transaction() as connection:
            await letters.finish(connection, letter.letter_id, Outcome.SENT)

    async def _refused(self, letter: Letter) -> None:
        async with self._database.transaction() as connection:
            if letter.attempts >= _ATTEMPTS_MAX:
                await letters.finish(connection, letter.letter_id, Outcome.GAVE_UP)
            else:
                pause = _FIRST_RETRY * 2 ** (letter.attempts - 1)
                await letters.postpone(connection, letter.letter_id, self._clock.now() + pause)

    async def _written(self, connection: AsyncConnection, letter: Letter) -> Mail | None:
        """Return the mail of a letter, with a fresh token in it; None when nobody is meant."""
        known = await users.find_credential(connection, letter.address_key)
        if known is None or (
            letter.kind is LetterKind.CONFIRM_EMAIL and known.user.email_confirmed
        ):
            return None
        token = ""
        if letter.kind in LIFETIMES:
            token = await self._token(connection, letter.kind, known.user.user_id)
        facts = {**letter.facts, "link": link(letter.kind, self._site_url, token)}
        # Another build may know more languages.
        texts = self._wording.get(known.user.language) or self._wording[DEFAULT_LANGUAGE]
        return texts[letter.kind].mail(known.user.email, facts)

    async def _token(self, connection: AsyncConnection, kind: LetterKind, user_id: UUID) -> str:
        token = first_token(self._random)
        expires_at = self._clock.now() + LIFETIMES[kind]
        await mail_tokens.add(connection, digest_of(token), user_id, kind, expires_at)
        return token

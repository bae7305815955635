"""The catalogue: which instruments there are, changed by staff, announced to everybody.

A change takes effect at a moment later than the watermark, is written to the journal in its own
transaction, and reaches the live market and the feed at once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial

from services.kit.clock import Clock
from services.kit.database import Database, RawConnection, committing
from services.kit.errors import Failure
from services.kit.journal import Journal, NewEvent
from services.kit.leader import Term
from services.kit.reason import Reason
from services.quotes import instruments
from services.quotes.instrument import Definition, Instrument, InstrumentStatus, MarketStatus
from services.quotes.market import LiveMarket, Standing
from services.quotes.session import check_schedule

Describe = Callable[[Standing], NewEvent]
"""Puts how an instrument stands into the words of the contract."""

Recording = Callable[[Standing | None, Standing, datetime], NewEvent]
"""Puts a change, from what it was (None: it was not), on record for the audit trail."""

_Recording = Callable[[Standing, datetime], NewEvent]


class Catalogue:
    """The instruments of this service."""

    def __init__(
        self,
        database: Database,
        market: LiveMarket,
        journal: Journal,
        describe: Describe,
        clock: Clock,
    ) -> None:
        """Keep them in a database and show them on a market."""
        self._database = database
        self._market = market
        self._journal = journal
        self._describe = describe
        self._clock = clock
        self._generation = -1
        self.changed: Callable[[], None] = lambda: None
        """Called when instruments were added or changed."""

    async def seed(self, definitions: Sequence[Definition]) -> None:
        """Add these instruments to an empty catalogue; a used one stays as it is."""

        async def add(connection: RawConnection) -> list[Instrument]:
            if await instruments.current(connection):
                return []
            moment = await instruments.next_moment(connection, self._clock)
            return [await instruments.create(connection, wanted, moment) for wanted in definitions]

        await self._change(add)

    async def create(self, definition: Definition, recording: Recording) -> Standing:
        """Add an instrument. Errors: INSTRUMENT_EXISTS, INVALID_SCHEDULE."""
        check_schedule(definition.schedule)

        async def add(connection: RawConnection) -> list[Instrument]:
            moment = await instruments.next_moment(connection, self._clock)
            return [await instruments.create(connection, definition, moment)]

        await self._change(add, partial(recording, None))
        return self._market.standing(definition.symbol)

    async def update(self, definition: Definition, version: int, recording: Recording) -> Standing:
        """Replace an instrument's settings, if `version` is still the current one.

        Its symbol says which; its scale stays. Errors: INSTRUMENT_NOT_FOUND, INSTRUMENT_CHANGED,
        INVALID_SCHEDULE.
        """
        check_schedule(definition.schedule)
        await self.refresh()
        before = self._market.standing(definition.symbol)
        known = before.instrument
        if known.version != version:
            message = "The instrument was changed meanwhile; read it again."
            metadata = {"version": str(known.version)}
            raise Failure(Reason.INSTRUMENT_CHANGED, message, metadata=metadata)
        wanted = replace(definition, price_scale=known.definition.price_scale)
        await self._add_versions([replace(known, definition=wanted)], partial(recording, before))
        return self._market.standing(definition.symbol)

    async def mark_recorded(self, feed_symbols: frozenset[str]) -> None:
        """Note which feed symbols replay a recording: those, and no others, never close.

        Errors: INSTRUMENT_CHANGED when somebody changed one of them meanwhile.
        """
        await self.refresh()
        changed = [
            replace(known, recorded=not known.recorded)
            for known in self._market.instruments()
            if known.recorded != (known.definition.feed_symbol in feed_symbols)
        ]
        if changed:
            await self._add_versions(changed)

    async def refresh(self) -> None:
        """Take over what was changed elsewhere."""
        async with self._database.raw() as connection:
            generation = await instruments.generation(connection)
            if generation == self._generation:
                return
            current = await instruments.current(connection)
        self._generation = generation
        if self._market.put(current, self._clock.now()):
            self.changed()

    async def announce(self, term: Term, standings: Sequence[Standing]) -> list[Standing]:
        """Tell the journal how markets stand. Hidden ones are nobody's business.

        Returns those that still stood so: an instrument that changed meanwhile is told by its
        change, and what was seen before it would come too late.
        """
        if not standings:
            return []
        async with self._appending() as connection:
            await term.fence(connection)
            current = await instruments.announce(connection, map(_status, standings))
            standing = [item for item in standings if item.instrument.id in current]
            await self._append(connection, [s for s in standing if not _hidden(s.instrument)])
        return standing

    async def _add_versions(
        self, wanted: Sequence[Instrument], recording: _Recording | None = None
    ) -> None:
        async def add(connection: RawConnection) -> list[Instrument]:
            moment = await instruments.next_moment(connection, self._clock)
            return [await instruments.add_version(connection, item, moment) for item in wanted]

        await self._change(add, recording)

    async def _change(
        self,
        work: Callable[[RawConnection], Awaitable[list[Instrument]]],
        recording: _Recording | None = None,
    ) -> None:
        """Make a change, journal it, put it on record if a person made it, and show it."""
        async with self._appending() as connection:
            changed = await work(connection)
            now = self._clock.now()
            standings = [self._market.preview(instrument, now) for instrument in changed]
            await instruments.announce(connection, map(_status, standings))
            on_record = [recording(standing, now) for standing in standings] if recording else []
            await self._append(connection, standings, on_record)
        await self.refresh()

    @asynccontextmanager
    async def _appending(self) -> AsyncIterator[RawConnection]:
        async with self._database.raw() as connection:
            yield connection
            with committing():
                await connection.commit()
        self._journal.notify()

    async def _append(
        self,
        connection: RawConnection,
        standings: Sequence[Standing],
        on_record: Sequence[NewEvent] = (),
    ) -> None:
        events = [*(self._describe(standing) for standing in standings), *on_record]
        if events:
            await self._journal.append(connection, events, self._clock.now())


def _status(standing: Standing) -> tuple[Instrument, MarketStatus]:
    return standing.instrument, standing.status


def _hidden(instrument: Instrument) -> bool:
    return instrument.definition.status is InstrumentStatus.HIDDEN

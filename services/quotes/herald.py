"""The herald: notices how markets stand, and announces what changed.

Watchers of this process hear of a change at once; the journal, and by it everybody, hears of it
from the leader.
"""

import asyncio

from services.kit.clock import Clock
from services.kit.database import Database, DatabaseUnavailable
from services.kit.leader import LeadershipLost, Term
from services.quotes import instruments
from services.quotes.catalogue import Catalogue
from services.quotes.market import LiveMarket, Standing

_LOOK_SECONDS = 0.25
_REFRESH_LOOKS = 4
_SETTLE_SECONDS = 2.0


class Herald:
    """Announces how the markets stand."""

    def __init__(
        self, database: Database, catalogue: Catalogue, market: LiveMarket, clock: Clock
    ) -> None:
        """Watch `market`, and announce by `catalogue`."""
        self._database = database
        self._catalogue = catalogue
        self._market = market
        self._clock = clock

    async def look(self) -> None:
        """Judge the markets again and again, for as long as the process runs."""
        looks = 0
        while True:
            self._market.judge(self._clock.now())
            looks += 1
            if looks % _REFRESH_LOOKS == 0:
                try:
                    await self._catalogue.refresh()
                except DatabaseUnavailable:
                    looks -= 1
            await asyncio.sleep(_LOOK_SECONDS)

    async def announce(self, term: Term) -> None:
        """Announce what changed, for a term. Errors: LeadershipLost, DatabaseUnavailable.

        What was announced before the last restart still holds until the first ticks had the time
        to come in: nobody wants to hear of markets that went stale because we were away.
        """
        async with self._database.raw() as connection:
            announced = await instruments.announced(connection)
        settings: dict[int, object] = {}
        await asyncio.sleep(_SETTLE_SECONDS)
        while True:
            news = [
                standing
                for standing in self._market.standings()
                if announced.get(standing.instrument.id) is not standing.status
                or settings.setdefault(standing.instrument.id, _settings(standing))
                != _settings(standing)
            ]
            for standing in await self._tell(term, news):
                announced[standing.instrument.id] = standing.status
                settings[standing.instrument.id] = _settings(standing)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _tell(self, term: Term, news: list[Standing]) -> list[Standing]:
        if term.lost.is_set():
            raise LeadershipLost(f"epoch {term.epoch} of {term.name} has passed")
        return await self._catalogue.announce(term, news)


def _settings(standing: Standing) -> object:
    """What is announced again when it is another, though the status be the same."""
    return standing.instrument.version, standing.sessions

"""The same ticks and orders, however they arrive and whatever dies, come to the same outcomes.

A plain reference, which knows nothing of batches, rounds or deaths, says to which. `make faults`
goes through more of it, from its own seed.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from services.kit.values import Money
from services.settlement.fixing import VoidReason
from services.settlement.receipt import Link
from services.settlement.receipts import Proof
from services.settlement.wire import checkpoint_message, receipt_message
from services.trading.auditor import Auditor
from services.trading.order import Direction
from services.trading.wire import BookWire
from tests.faults.report import SEED
from tests.model.pipeline import SYMBOLS, Heard, Pipeline, pipeline
from tests.model.reference import Reference
from tests.proof import signed
from tests.service.trading_fixtures import CHIPS, request
from tests.stores import Postgres
from veritick.proof.file import Header, Writer
from veritick.proof.verify import verify

ENTRY = 10_000
"""The price at which every order opens."""

EXAMPLES, MANY_EXAMPLES = 12, 150
PHASES = (Phase.generate,)
FEWEST_DEATHS = 3
"""Without some the comparison would say nothing about them."""

SPAN_SECONDS = 12
APART = timedelta(seconds=60)
"""Between examples, so that no tick of one is of any account in the next."""

STALE = SILENT = timedelta(seconds=5)


class Bought(NamedTuple):
    """An order of an example."""

    account: int
    symbol: str
    direction: Direction
    stake: int
    seconds: int


class Came(NamedTuple):
    """A tick of an example, in milliseconds after its beginning."""

    symbol: str
    milliseconds: int
    price: int
    late: bool


class Example(NamedTuple):
    """What happens, and how it comes about."""

    ticks: Sequence[Came]
    orders: Sequence[Bought]
    silence: tuple[int, int]
    """From which second for how many the feed is not heard."""

    watermarks: Sequence[int]
    """Seconds at which more becomes known; the last one is that of the end."""

    deaths: int
    chance: str
    chaos: int
    """Seed of the order in which everything arrives, and of the moments of death."""


ticks = st.builds(
    Came,
    symbol=st.sampled_from(SYMBOLS),
    milliseconds=st.one_of(
        st.integers(0, SPAN_SECONDS * 1_000),
        st.integers(5, SPAN_SECONDS).map(lambda second: second * 1_000 - 500),  # at an expiry
    ),
    price=st.integers(ENTRY - 2, ENTRY + 2),
    late=st.sampled_from([False, False, False, True]),
)
orders = st.builds(
    Bought,
    account=st.integers(0, 1),
    symbol=st.sampled_from(SYMBOLS),
    direction=st.sampled_from(Direction),
    stake=st.sampled_from([100, 101, 999]),
    seconds=st.integers(5, SPAN_SECONDS - 2),
)
examples = st.builds(
    Example,
    ticks=st.lists(ticks, max_size=30, unique_by=lambda tick: (tick.symbol, tick.milliseconds)),
    orders=st.lists(orders, min_size=1, max_size=10),
    silence=st.tuples(st.integers(0, SPAN_SECONDS), st.sampled_from([0, 3, 7])),
    watermarks=st.lists(st.integers(3, SPAN_SECONDS), max_size=3).map(
        lambda seconds: [*sorted(seconds), SPAN_SECONDS + 1]
    ),
    deaths=st.integers(0, 4),
    chance=st.sampled_from(["0.2", "0.5", "1"]),
    chaos=st.integers(0, 2**32),
)


class Price(NamedTuple):
    """What the price of a point is by the plain reference: one of the two."""

    price: int | None
    void_reason: VoidReason | None


def price_at(
    moment: datetime, symbol: str, heard: Sequence[Heard], beats: Sequence[datetime]
) -> Price:
    """Return the last tick that counts, if it is fresh, on a feed that was heard."""
    if not any(moment - SILENT < beat <= moment for beat in beats):
        return Price(None, VoidReason.FEED_SILENT)
    before = [t for t in heard if t.symbol == symbol and not t.late and t.time <= moment]
    last = max(before, key=lambda tick: tick.time, default=None)
    if last is None or moment - last.time > STALE:
        return Price(None, VoidReason.NO_TICK)
    return Price(last.price, None)


def outcome_at(direction: Direction, price: int | None) -> str:
    if price is None:
        return "VOID"
    if price == ENTRY:
        return "DRAW"
    return "WIN" if (price > ENTRY) == (direction is Direction.UP) else "LOSS"


class Run:
    """Examples one after the other, on one pipeline whose past grows."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.reference = Reference(CHIPS, open_orders_max=10**6, exposure_max=10**12)
        self.receipts = self.ticks = 0

    async def go(self, example: Example) -> None:
        """Let an example happen, and compare everything with the reference."""
        market, random = self.pipeline.market, Random(example.chaos)
        market.clock.advance(APART)
        for symbol in SYMBOLS:
            market.tick(ENTRY, symbol)
        begin = market.clock.now()
        users = [await self.pipeline.desk.open_account(uuid4()) for _ in range(2)]
        for user in users:
            self.reference.open(user.account_id)
        heard = self._numbered(begin, example.ticks)
        beats = _beats(begin, *example.silence)
        self.pipeline.beat(beats)

        self.pipeline.dying.begin(example.deaths, example.chaos, example.chance)
        asked = [
            request(
                users[bought.account],
                instrument=bought.symbol,
                direction=bought.direction,
                stake=Money(bought.stake, "USD"),
                duration_seconds=bought.seconds,
            )
            for bought in example.orders
        ]
        placed = await asyncio.gather(
            *(self.pipeline.persist(order) for order in random.sample(asked, len(asked)))
        )
        await self._arrive(
            heard, [begin + timedelta(seconds=s) for s in example.watermarks], random
        )
        self.receipts += len(asked)
        await self.pipeline.settled(self.receipts)
        self.pipeline.dying.begin(0, 0, "0")

        expected: dict[UUID, tuple[str, int, Price]] = {}
        for order in (item.booked.order for item in placed):
            price = price_at(order.expires_at, order.instrument, heard, beats)
            outcome = outcome_at(Direction(order.direction), price.price)
            account, direction, stake = order.account_id, order.direction, order.stake
            assert self.reference.place(account, order.request_id, direction, stake) is None
            before = self.reference.accounts[account].posted
            self.reference.close(account, direction, stake, outcome)
            returned = self.reference.accounts[account].posted - before
            expected[order.order_id] = outcome, returned, price
        await self._compare(expected)

    def _numbered(self, begin: datetime, ticks: Sequence[Came]) -> list[Heard]:
        """Return ticks with the numbers that they were given as they came."""
        first, self.ticks = self.ticks + 1, self.ticks + len(ticks)
        return [
            Heard(t.symbol, n, begin + timedelta(milliseconds=t.milliseconds), t.price, t.late)
            for n, t in enumerate(sorted(ticks, key=lambda t: t.milliseconds), start=first)
        ]

    async def _arrive(
        self, heard: Sequence[Heard], watermarks: Sequence[datetime], random: Random
    ) -> None:
        """Let ticks come in any order, each before what it belongs to is said to be known."""
        waiting = random.sample(heard, len(heard))
        for watermark in watermarks:
            due = [tick for tick in waiting if tick.time <= watermark or random.random() < 0.3]
            waiting = [tick for tick in waiting if tick not in due]
            self.pipeline.hear(due)
            self.pipeline.know(watermark)
            await asyncio.sleep(random.choice([0, 0.005, 0.03]))

    async def _compare(self, expected: dict[UUID, tuple[str, int, Price]]) -> None:
        new, _ = await self.pipeline.receipts.after("demo", self.receipts - len(expected), 1_000)
        assert {proof.receipt.closed.order_id: _told(proof) for proof in new} == expected
        assert len(new) == len(expected)
        accounts = self.reference.accounts
        assert await self.pipeline.balances(list(accounts)) == [
            (account.posted, account.open_orders) for account in accounts.values()
        ]
        lines = await self.pipeline.desk.ledger.trial_balance()
        balances = {line.account_id.int if line.account_id else 0: line.balance for line in lines}
        reference = self.reference.trial_balance()
        assert {key: value for key, value in balances.items() if value} == {
            key: value for key, value in reference.items() if value
        }

    async def conclude(self) -> None:
        """The whole chain proves itself offline, and the book is in order."""
        proofs = await self.pipeline.proofs()
        assert len(proofs) == self.receipts
        assert self.pipeline.dying.count >= FEWEST_DEATHS
        file = io.BytesIO()
        writer = Writer(file)
        writer.begin(Header("demo", "a model", "2026-11-23T12:00:00+00:00", 1))
        for proof in proofs:
            writer.receipt(receipt_message("demo", *proof))
        last = proofs[-1].receipt
        writer.end(checkpoint_message(signed(Link(last.sequence, last.hash))))
        file.seek(0)
        assert verify(file).receipts == self.receipts
        now = self.pipeline.market.clock.now
        report = await Auditor(self.pipeline.book, BookWire("demo", "DEMO"), now, None).audit()
        assert report.findings == []


def _beats(begin: datetime, silent_from: int, seconds: int) -> list[datetime]:
    """Return when the feed was heard: every half second, but for a silence."""
    silence = range(silent_from * 2, (silent_from + seconds) * 2)
    halves = [n for n in range(2 * SPAN_SECONDS + 2) if n not in silence]
    return [begin + timedelta(milliseconds=500 * n) for n in halves]


def _told(proof: Proof) -> tuple[str, int, Price]:
    closed, fixing = proof.receipt.closed, proof.fixing
    price = Price(fixing.tick and fixing.tick.price, fixing.void_reason)
    return closed.outcome.name, closed.returned, price


def compare(postgres: Postgres, folder: Path, chosen: settings, start: int | None = None) -> None:
    """Go through examples on one pipeline."""
    with asyncio.Runner() as runner:
        entering = pipeline(postgres, folder)
        run = Run(runner.run(entering.__aenter__()))

        @given(examples)
        def go(example: Example) -> None:
            runner.run(run.go(example))

        try:
            chosen(go if start is None else seed(start)(go))()
            runner.run(run.conclude())
        finally:
            runner.run(entering.__aexit__(None, None, None))


@pytest.mark.timeout(300)
def test_arrival_and_deaths_change_no_outcome(postgres: Postgres, tmp_path: Path) -> None:
    # What an example leaves behind stays: so a failing one is shown as it was found.
    chosen = settings(max_examples=EXAMPLES, phases=PHASES, suppress_health_check=list(HealthCheck))
    compare(postgres, tmp_path, chosen)


@pytest.mark.faults
@pytest.mark.timeout(1_800)
def test_arrival_and_deaths_change_no_outcome_many_times(
    postgres: Postgres, tmp_path: Path
) -> None:
    """Another walk for every seed; the one that `make faults` prints repeats it."""
    chosen = settings(
        derandomize=False,
        database=None,
        max_examples=MANY_EXAMPLES,
        phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )
    compare(postgres, tmp_path, chosen, SEED)

"""A recording of a market: a CSV file of prices over time.

The header says what it is: `time,bid,ask` quotes (the price is their middle), `time,price,size`
trades, or `time,open,high,low,close` bars of a minute, each of which becomes four ticks.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from pathlib import Path

from services.quotes.simulator.listing import LISTED

_HALF = Decimal("0.5")
_BAR_STEP = timedelta(seconds=15)
_PRECISION = 40


class NotARecording(Exception):
    """The file can not be replayed; the message says why."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One price, and how long after the recording's begin it came."""

    offset: timedelta
    price: str


def read(path: Path) -> list[Recorded]:
    """Return a recording, in order of time. Errors: NotARecording."""
    try:
        with path.open(newline="", encoding="utf-8") as file, localcontext() as context:
            context.prec = _PRECISION
            rows = csv.reader(file)
            header = tuple(next(rows, ()))
            prices = sorted(_prices(header, rows), key=lambda item: item[0])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NotARecording(f"{path}: {error}") from error
    if not prices:
        raise NotARecording(f"{path}: no prices in it")
    began = prices[0][0]
    return [Recorded(time - began, format(price, "f")) for time, price in prices]


def symbol_of(path: Path) -> str:
    """Return the symbol that a file's name begins with: `eurusd-2020.csv` is of EURUSD.

    What exchanges quote in USDT is listed in USD here. Errors: NotARecording.
    """
    name = re.split(r"[^A-Za-z0-9]", path.name, maxsplit=1)[0].upper()
    for symbol in (name, name.removesuffix("T")):
        if symbol in LISTED:
            return symbol
    known = ", ".join(LISTED)
    raise NotARecording(f"{path.name} does not begin with a symbol; say --symbol, one of {known}")


def _prices(
    header: tuple[str, ...], rows: Iterator[list[str]]
) -> Iterator[tuple[datetime, Decimal]]:
    for number, row in enumerate(rows, start=2):
        try:
            if row:
                yield from _row(header, row)
        except (ValueError, InvalidOperation, IndexError) as error:
            raise NotARecording(f"line {number} makes no sense: {','.join(row)[:80]}") from error


def _row(header: tuple[str, ...], row: Sequence[str]) -> Iterator[tuple[datetime, Decimal]]:
    time = datetime.fromisoformat(row[0])
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    match header[1:]:
        case ("bid", "ask", *_):
            yield time, (_decimal(row[1]) + _decimal(row[2])) * _HALF
        case ("price", *_):
            yield time, _decimal(row[1])
        case ("open", "high", "low", "close", *_):
            opened, high, low, closed = (_decimal(text) for text in row[1:5])
            turns = (low, high) if closed >= opened else (high, low)
            for place, price in enumerate((opened, *turns, closed)):
                yield time + place * _BAR_STEP, price
        case _:
            raise NotARecording(f"the header must be one of those documented, not {header}")


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite() or value <= 0:
        raise ValueError(f"not a price: {text}")
    return value

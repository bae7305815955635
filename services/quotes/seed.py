"""What a new platform trades: crypto around the clock, the FX week, metals and indices."""

from datetime import date

from services.quotes.instrument import Definition
from services.quotes.session import AROUND_THE_CLOCK, MINUTES_PER_DAY, Holiday, Schedule, Window

_HOUR = 60
_USD = "USD"
_NEW_YORK = "America/New_York"


def _at(day: int, hour: int, minute: int = 0) -> int:
    """Return minutes since Monday 00:00; day 0 is Monday."""
    return day * MINUTES_PER_DAY + hour * _HOUR + minute


def _holidays(closed: list[date], early: dict[date, int]) -> tuple[Holiday, ...]:
    days = [Holiday(day) for day in closed]
    days += [Holiday(day, hour * _HOUR) for day, hour in early.items()]
    return tuple(sorted(days, key=lambda holiday: holiday.date))


_YEARS = range(2026, 2031)
_CHRISTMAS = [date(year, 12, 25) for year in _YEARS] + [date(year, 1, 1) for year in _YEARS]
_EVES = {date(year, 12, day): 17 for year in _YEARS for day in (24, 31)}
_WALL_STREET = [
    date(2026, 11, 26),
    date(2027, 1, 18),
    date(2027, 2, 15),
    date(2027, 3, 26),
    date(2027, 5, 31),
    date(2027, 7, 5),
    date(2027, 9, 6),
    date(2027, 11, 25),
]

FX_WEEK = Schedule(
    _NEW_YORK,
    (Window(_at(6, 17), _at(11, 17)),),
    _holidays(_CHRISTMAS, _EVES),
)
"""From Sunday 17:00 to Friday 17:00 in New York, in one piece."""

METALS_WEEK = Schedule(
    _NEW_YORK,
    tuple(Window(_at(day, 18), _at(day + 1, 17)) for day in (6, 0, 1, 2, 3)),
    _holidays(_CHRISTMAS, _EVES),
)
"""As the FX week, with a break from 17:00 to 18:00 each day."""

INDEX_WEEK = Schedule(
    _NEW_YORK,
    tuple(Window(_at(day, 18), _at(day + 1, 17)) for day in (6, 0, 1, 2, 3)),
    _holidays(
        _CHRISTMAS + [day for day in _WALL_STREET if day.month != 11],
        _EVES | {day: 13 for day in _WALL_STREET if day.month == 11},
    ),
)
"""Index futures: a daily break, the holidays of Wall Street, an early close on Thanksgiving."""

_CRYPTO = (
    ("BTCUSD", "BTC/USD", 2),
    ("ETHUSD", "ETH/USD", 2),
    ("SOLUSD", "SOL/USD", 3),
    ("XRPUSD", "XRP/USD", 5),
    ("BNBUSD", "BNB/USD", 2),
    ("ADAUSD", "ADA/USD", 5),
    ("DOGEUSD", "DOGE/USD", 6),
    ("AVAXUSD", "AVAX/USD", 3),
    ("DOTUSD", "DOT/USD", 4),
    ("LINKUSD", "LINK/USD", 4),
    ("LTCUSD", "LTC/USD", 3),
    ("BCHUSD", "BCH/USD", 2),
)
_FX = (
    ("EURUSD", "EUR/USD", 5),
    ("GBPUSD", "GBP/USD", 5),
    ("USDJPY", "USD/JPY", 3),
    ("USDCHF", "USD/CHF", 5),
    ("AUDUSD", "AUD/USD", 5),
    ("USDCAD", "USD/CAD", 5),
    ("NZDUSD", "NZD/USD", 5),
    ("EURGBP", "EUR/GBP", 5),
    ("EURJPY", "EUR/JPY", 3),
    ("GBPJPY", "GBP/JPY", 3),
    ("AUDJPY", "AUD/JPY", 3),
    ("EURCHF", "EUR/CHF", 5),
)
_OTHERS = (
    ("XAUUSD", "Gold", "METAL", 2, METALS_WEEK),
    ("XAGUSD", "Silver", "METAL", 3, METALS_WEEK),
    ("US500", "US 500", "INDEX", 2, INDEX_WEEK),
    ("US100", "US Tech 100", "INDEX", 2, INDEX_WEEK),
)
_GAP = 10
"""Positions lie apart, so that another instrument fits between two."""


def seed_instruments(crypto_quote_currency: str = _USD) -> list[Definition]:
    """Return the instruments of a new platform; the first one is the default.

    The feed may quote crypto in something that only stands for the dollar, such as USDT.
    """
    rows = [(symbol, name, "CRYPTO", scale, AROUND_THE_CLOCK) for symbol, name, scale in _CRYPTO]
    rows += [(symbol, name, "FX", scale, FX_WEEK) for symbol, name, scale in _FX]
    rows += _OTHERS
    return [
        Definition(
            symbol=symbol,
            display_name=name,
            asset_class=asset_class,
            price_scale=scale,
            feed_symbol=symbol.removesuffix(_USD) + crypto_quote_currency
            if asset_class == "CRYPTO"
            else symbol,
            schedule=schedule,
            position=(place + 1) * _GAP,
        )
        for place, (symbol, name, asset_class, scale, schedule) in enumerate(rows)
    ]

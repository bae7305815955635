"""The symbols the simulator lists: where each begins, how fine it is quoted, how much it moves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listed:
    """A symbol of the simulated market."""

    symbol: str
    start: str
    """Price to begin with, as decimal text: its decimals are those it is quoted with."""

    ppm_per_second: int
    """Typical move within a second, in millionths of the price."""

    weight: int = 1
    """How often it ticks, against the others."""

    kind: str = "CRYPTO"


def _all(kind: str, ppm: int, *rows: tuple[str, str]) -> list[Listed]:
    return [Listed(symbol, start, ppm, kind=kind) for symbol, start in rows]


_LISTED = [
    Listed("BTCUSD", "98250.00", 60, weight=3),
    Listed("ETHUSD", "3420.50", 70, weight=2),
    *_all(
        "CRYPTO",
        80,
        ("SOLUSD", "188.420"),
        ("XRPUSD", "2.31450"),
        ("BNBUSD", "905.20"),
        ("ADAUSD", "0.71230"),
        ("DOGEUSD", "0.205300"),
        ("AVAXUSD", "26.840"),
        ("DOTUSD", "5.1240"),
        ("LINKUSD", "18.2350"),
        ("LTCUSD", "96.430"),
        ("BCHUSD", "512.40"),
    ),
    *_all(
        "FX",
        30,
        ("EURUSD", "1.16420"),
        ("GBPUSD", "1.33850"),
        ("USDJPY", "151.240"),
        ("USDCHF", "0.79860"),
        ("AUDUSD", "0.65740"),
        ("USDCAD", "1.38210"),
        ("NZDUSD", "0.58930"),
        ("EURGBP", "0.86980"),
        ("EURJPY", "176.070"),
        ("GBPJPY", "202.430"),
        ("AUDJPY", "99.420"),
        ("EURCHF", "0.92970"),
    ),
    *_all("METAL", 25, ("XAUUSD", "4012.50"), ("XAGUSD", "48.320")),
    *_all("INDEX", 22, ("US500", "6782.50"), ("US100", "25120.00")),
]
LISTED = {listed.symbol: listed for listed in _LISTED}

# Shares of the usual volatility, in percent, by hour of the day in UTC.
_CRYPTO_DAY = """
    90 90 85 80 80 80 85 95 105 105 100 95 105 130 150 150 140 125 115 110 105 100 95 90
"""
_OTHER_DAY = """
    70 65 60 55 55 60 90 140 150 130 110 105 130 160 165 150 120 90 75 65 55 45 50 60
"""
_DAY = {
    "CRYPTO": tuple(map(int, _CRYPTO_DAY.split())),
    "FX": tuple(map(int, _OTHER_DAY.split())),
}


def listed(symbol: str) -> Listed:
    """Return a symbol; any other name is quoted too, around 100, so new instruments come alive."""
    return LISTED.get(symbol) or Listed(symbol, "100.0000", 40)


def volatility_percent(kind: str, hour: int) -> int:
    """Return how lively a kind of symbol is at an hour of the day in UTC."""
    return _DAY.get(kind, _DAY["FX"])[hour]

"""Channels: what can be subscribed to, and which journal or instrument stands behind a name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.kit.ids import parse_scoped

CANDLE_INTERVALS_SECONDS = frozenset({1, 5, 15, 30, 60, 300, 900, 3600, 14400, 86400})
NAME_LENGTH_MAX = 100

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SYMBOL = re.compile(r"[A-Z0-9]{2,20}")
_BOOK = re.compile(r"[a-z][a-z0-9-]{0,31}")
_INTERVAL = re.compile(r"([1-9][0-9]{0,5})s")
_NOT_BOOKS = frozenset({"identity", "quotes", "settlement"})


@dataclass(frozen=True, slots=True)
class JournalChannel:
    """One subject of one journal; its sequences are the subject's."""

    name: str
    journal: str
    subject: str
    private: bool

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the subject among all journals."""
        return self.journal, self.subject


@dataclass(frozen=True, slots=True)
class TickChannel:
    """The prices of one instrument; a sequence is a tick's number."""

    name: str
    symbol: str


@dataclass(frozen=True, slots=True)
class CandleChannel:
    """The candles of one instrument; a sequence is the number of the last tick folded in."""

    name: str
    symbol: str
    interval_seconds: int


Channel = JournalChannel | TickChannel | CandleChannel


def parse_channel(name: str) -> Channel | None:
    """Return the channel of this name, or None when no channel can be called so.

    Whether it exists, and whether the caller may read it, is for its owner to say.
    """
    if len(name) > NAME_LENGTH_MAX:
        return None
    if name == "instruments":
        return JournalChannel(name, "quotes", "instruments", private=False)
    kind, _, rest = name.partition(":")
    parse = _KINDS.get(kind)
    return parse(name, rest) if parse else None


def user_channel(user_id: str) -> JournalChannel:
    """Return the channel of what happens to a user."""
    name = f"user:{user_id}"
    return JournalChannel(name, "identity", name, private=True)


def _account(name: str, rest: str) -> Channel | None:
    scoped = parse_scoped(rest)
    if scoped is None or scoped[0] in _NOT_BOOKS:
        return None
    return JournalChannel(name, scoped[0], name, private=True)


def _user(_name: str, rest: str) -> Channel | None:
    return user_channel(rest) if _UUID.fullmatch(rest) else None


def _payouts(name: str, rest: str) -> Channel | None:
    if not _BOOK.fullmatch(rest) or rest in _NOT_BOOKS:
        return None
    return JournalChannel(name, rest, "payouts", private=False)


def _ticks(name: str, rest: str) -> Channel | None:
    return TickChannel(name, rest) if _SYMBOL.fullmatch(rest) else None


def _candles(name: str, rest: str) -> Channel | None:
    symbol, _, interval = rest.partition(":")
    match = _INTERVAL.fullmatch(interval)
    if not match or not _SYMBOL.fullmatch(symbol):
        return None
    seconds = int(match[1])
    return CandleChannel(name, symbol, seconds) if seconds in CANDLE_INTERVALS_SECONDS else None


_KINDS = {
    "account": _account,
    "user": _user,
    "payouts": _payouts,
    "ticks": _ticks,
    "candles": _candles,
}

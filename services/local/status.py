"""What a person sees of the running platform: one screen, or plain lines."""

import contextlib
import shutil
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TextIO

from services.local.part import Condition, State

_RESET, _BOLD, _DIM = "\x1b[0m", "\x1b[1m", "\x1b[2m"
_COLOURS = {
    State.WELL: "\x1b[32m",
    State.DONE: "\x1b[32m",
    State.DOWN: "\x1b[31m",
    State.UNWELL: "\x1b[31m",
}
_STARTING = "\x1b[33m"
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_LINE, _CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"
_NEWS = 6


@dataclass
class Status:
    """What is shown. Monotonic seconds; `ticks_per_second` is None while unknown."""

    url: str
    staff_url: str
    stream_url: str
    home: str
    started: float
    ready_after: float | None = None
    ticks_per_second: float | None = None
    news: list[str] = field(default_factory=list)

    def tell(self, line: str) -> None:
        """Keep the latest lines for the foot of the screen."""
        self.news = [*self.news, line][-_NEWS:]


class Lines:
    """Plain lines, for a pipe or a file: what changed, when it did."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def open(self) -> None:
        """Begin; nothing to do."""

    def tell(self, text: str) -> None:
        """Print a line of its own. When nobody reads any more, ask this process to stop."""
        if self._out.closed:
            return
        try:
            self._out.write(text + "\n")
            self._out.flush()
        except BrokenPipeError:
            with contextlib.suppress(BrokenPipeError):
                self._out.close()
            signal.raise_signal(signal.SIGTERM)

    def close(self, last_words: str) -> None:
        """Print the last line."""
        self.tell(last_words)


class Screen:
    """One live screen on a terminal, drawn over itself."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def open(self) -> None:
        """Leave what is on the terminal aside, until `close` brings it back."""
        self._write(_ENTER)

    def tell(self, text: str) -> None:
        """Do nothing: the news are part of what is drawn."""

    def draw(self, status: Status, conditions: Iterable[Condition], now: float) -> None:
        """Draw it all, cut to the size of the terminal."""
        width, height = shutil.get_terminal_size()
        lines = screen(status, list(conditions), now, width)[: height - 1]
        body = "".join(f"{line}{_CLEAR_LINE}\r\n" for line in lines)
        self._write(_HOME + body + _CLEAR_REST)

    def close(self, last_words: str) -> None:
        """Give the terminal back as it was, and leave one line on it."""
        self._write(f"{_LEAVE}{last_words}\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def screen(
    status: Status, conditions: Sequence[Condition], now: float, width: int = 80
) -> list[str]:
    """Return the lines of the screen."""
    parts = [c for c in conditions if not (c.part.once and c.state is State.DONE)]
    return [
        f"{_BOLD}Veritick{_RESET}  {_headline(status, now)}",
        "",
        *(_row(condition, now, width) for condition in parts),
        "",
        *([f"  staff   {status.staff_url}"] if status.ready_after is not None else []),
        f"  socket  {status.stream_url}",
        f"  ticks   {_ticks(status)}",
        f"  data    {status.home}",
        "",
        *(f"{_DIM}{line[: width - 1]}{_RESET}" for line in status.news),
        "",
        f"{_DIM}Ctrl-C stops everything; the data stays.{_RESET}",
    ]


def _headline(status: Status, now: float) -> str:
    if status.ready_after is None:
        return f"{_STARTING}starting, {now - status.started:.0f} s{_RESET}"
    return f"ready {_BOLD}{status.url}{_RESET}"


def _row(condition: Condition, now: float, width: int) -> str:
    light = f"{_COLOURS.get(condition.state, _STARTING)}●{_RESET}"
    times = f"restarted {condition.restarts}×" if condition.restarts else ""
    facts = [times, condition.note or condition.part.address]
    text = f"{condition.part.name:<18} {condition.state.value:<9}{span(now - condition.since):>7}  "
    text += "  ".join(fact for fact in facts if fact)
    return f"  {light} {text[: width - 5]}"


def _ticks(status: Status) -> str:
    return "…" if status.ticks_per_second is None else f"{status.ticks_per_second:.0f}/s"


def span(seconds: float) -> str:
    """Return a duration as a person says it: `0.4 s`, `12 s`, `5 min`, `3 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def news(condition: Condition, at: datetime, taken_seconds: float, last_words: str = "") -> str:
    """Return the line that tells of a change; `taken_seconds` is how long the state before was."""
    text = f"{at:%H:%M:%S} {condition.part.name} {_VERBS[condition.state]}"
    if condition.state in {State.WELL, State.DONE}:
        text += f" ({span(taken_seconds)})"
    if condition.note:
        text += f": {condition.note}"
    return f"{text}: {last_words}" if last_words else text


_VERBS = {
    State.WELL: "is well",
    State.UNWELL: "does not answer",
    State.DOWN: "died",
    State.DONE: "is done",
}

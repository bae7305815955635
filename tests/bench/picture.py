"""docs/bench.png: a bar per row against its goal, and how cost grows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from tests.bench.results import figure

PICTURE = Path("docs/bench.png")

_SCALE = 2  # drawn at twice the size, so that it is sharp on every screen
_WIDTH, _LEFT, _RIGHT, _LINE = 1080, 450, 180, 30
_TOP, _BETWEEN, _BOTTOM, _BAR = 96, 84, 64, 16
_SCORES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
_SLOPES = (-0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_INK, _SOFT, _GRID, _PAPER = "#1f2733", "#6b7686", "#e3e7ec", "#ffffff"
_COLOURS = {
    "stretch": "#0f8a5f",
    "goal": "#3aa981",
    "missed": "#d1495b",
    "flat": "#3aa981",
    "grows": "#d1495b",
}
_TITLE_LETTERS = 52
_WORDS = {"→": "to", "×": "x", "µ": "micro"}
"""Signs that the font does not have."""

Result = Mapping[str, Any]
Results = Mapping[str, Result]


def draw(results: Results) -> None:
    """Draw the results into docs/bench.png."""
    rows = [(name, one) for name, one in results.items() if "slope" not in one]
    growths = [(name, one) for name, one in results.items() if "slope" in one]
    panels = [_rows(rows)] + ([_growths(growths)] if growths else [])
    height = _TOP + _BOTTOM + _BETWEEN * (len(panels) - 1) + _LINE * (len(rows) + len(growths))
    page = _Page(height)
    page.text(24, 20, "Veritick, measured side by side", 22, _INK)
    top = float(_TOP)
    for panel in panels:
        top = page.panel(panel, top) + _BETWEEN
    page.text(24, height - 30, "make bench · docs/performance.md says what limits each row", 12)
    page.save(PICTURE)


@dataclass(frozen=True)
class _Bar:
    """One line of a panel."""

    name: str
    title: str
    value: float
    said: str
    verdict: str
    stretch: float | None = None


@dataclass(frozen=True)
class _Panel:
    """Bars on one axis; a rule marks what is to be reached."""

    title: str
    bars: Sequence[_Bar]
    ticks: Sequence[tuple[float, str]]
    zero: float
    """Where bars begin."""

    rule: float
    logarithmic: bool

    def place(self, value: float) -> float:
        """Return where a value lies, from 0 at the left to 1 at the right."""
        ends = self.ticks[0][0], self.ticks[-1][0]
        low, high, here = (
            (math.log(x) for x in (*ends, max(value, ends[0])))
            if (self.logarithmic)
            else (*ends, value)
        )
        return min(max((here - low) / (high - low), 0.0), 1.0)


def _rows(rows: Sequence[tuple[str, Result]]) -> _Panel:
    bars = [
        _Bar(
            name,
            str(row["title"]),
            float(row["score"]),
            f"{figure(row['ratio'])}x of {_bound(row)}{row['goal']}x",
            str(row["verdict"]),
            _stretch(row),
        )
        for name, row in rows
    ]
    ticks = [(score, _times(score)) for score in _SCORES]
    title = "How far each row gets: its goal is 1, its stretch the grey mark (logarithmic)"
    return _Panel(title, bars, ticks, _SCORES[0], 1, logarithmic=True)


def _growths(growths: Sequence[tuple[str, Result]]) -> _Panel:
    bars = [
        _Bar(
            name,
            str(growth["title"]),
            float(growth["slope"]),
            f"{growth['slope']:.2f} of at most {growth['goal']}",
            str(growth["verdict"]),
        )
        for name, growth in growths
    ]
    ticks = [(slope, f"{slope:.1f}") for slope in _SLOPES]
    flat = max(float(growth["goal"]) for _, growth in growths)
    title = "How cost grows over three decades (exponent: 0 is flat, 1 is proportional)"
    return _Panel(title, bars, ticks, 0, flat, logarithmic=False)


def _stretch(row: Result) -> float | None:
    """Return where the stretch lies on the axis of scores."""
    if row["stretch"] is None:
        return None
    goal, stretch = float(row["goal"]), float(row["stretch"])
    return goal / stretch if row["better"] == "less" else stretch / goal


def _bound(row: Result) -> str:
    return "at most " if row["better"] == "less" else ""


def _times(score: float) -> str:
    return f"{score:g}" if score >= 1 else f"1/{1 / score:g}"


class _Page:
    """Paper to draw on, in points."""

    def __init__(self, height: float) -> None:
        self._image = Image.new("RGB", (_WIDTH * _SCALE, round(height) * _SCALE), _PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def panel(self, panel: _Panel, top: float) -> float:
        """Draw a panel; return where it ends."""
        bottom = top + _LINE * len(panel.bars)
        self.text(24, top - 34, panel.title, 14, _INK)
        for value, label in panel.ticks:
            x = _across(panel, value)
            self._rule(x, top, bottom, _GRID, 1)
            self.text(x, bottom + 6, label, 12, anchor="ma")
        for number, bar in enumerate(panel.bars):
            self._bar(panel, bar, top + _LINE * (number + 0.5))
        self._rule(_across(panel, panel.rule), top - 4, bottom + 4, _INK, 2)
        return bottom

    def text(
        self, x: float, y: float, text: str, size: int, colour: str = _SOFT, anchor: str = "la"
    ) -> None:
        """Write a line of text."""
        font = ImageFont.load_default(size * _SCALE)
        for sign, word in _WORDS.items():
            text = text.replace(sign, word)
        self._draw.text((x * _SCALE, y * _SCALE), text, colour, font, anchor=anchor)

    def save(self, path: Path) -> None:
        """Write the page into a file."""
        path.parent.mkdir(exist_ok=True)
        self._image.quantize(64).save(path, optimize=True)

    def _bar(self, panel: _Panel, bar: _Bar, middle: float) -> None:
        ends = sorted((_across(panel, panel.zero), _across(panel, bar.value)))
        colour = _COLOURS[bar.verdict]
        box = (ends[0], middle - _BAR / 2, max(ends[1], ends[0] + 2), middle + _BAR / 2)
        self._draw.rounded_rectangle([side * _SCALE for side in box], 3 * _SCALE, fill=colour)
        if bar.stretch is not None:
            self._rule(_across(panel, bar.stretch), middle - 11, middle + 11, _SOFT, 1)
        self.text(24, middle, bar.name, 14, _INK, anchor="lm")
        self.text(104, middle, _shortened(bar.title), 12, _SOFT, anchor="lm")
        self.text(_WIDTH - _RIGHT + 14, middle, bar.said, 12, colour, anchor="lm")

    def _rule(self, x: float, top: float, bottom: float, colour: str, width: int) -> None:
        line = [(x * _SCALE, top * _SCALE), (x * _SCALE, bottom * _SCALE)]
        self._draw.line(line, colour, width * _SCALE)


def _across(panel: _Panel, value: float) -> float:
    return _LEFT + panel.place(value) * (_WIDTH - _LEFT - _RIGHT)


def _shortened(title: str) -> str:
    return title if len(title) <= _TITLE_LETTERS else title[: _TITLE_LETTERS - 1].rstrip(" ,") + "…"

"""The bench says of each row what is true of it, and does not begin where it has no room."""

import sys

import pytest

from tests.bench import results, room
from tests.bench.__main__ import main
from tests.bench.room import lacking
from tests.bench.rows import Growth, Row, growing, side_by_side, slope


@pytest.mark.parametrize(
    ("ours", "goal", "stretch", "less", "verdict"),
    [
        (99, 1.0, 1.5, False, "missed"),
        (100, 1.0, 1.5, False, "goal"),
        (150, 1.0, 1.5, False, "stretch"),
        (150, 1.0, None, False, "goal"),
        (201, 2.0, 1.0, True, "missed"),
        (200, 2.0, 1.0, True, "goal"),
        (90, 2.0, 1.0, True, "stretch"),
    ],
)
def test_a_row_reaches_what_it_reaches(
    ours: float, goal: float, stretch: float | None, less: bool, verdict: str
) -> None:
    row = Row("X1", "a row", "things", [1, ours, 1_000], [100, 100], goal, stretch, less)

    assert row.verdict == verdict
    assert (row.score >= 1) == (verdict != "missed")


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_the_slope_is_the_exponent_of_growth(exponent: float) -> None:
    sizes = [100, 1_000, 10_000, 100_000]

    assert slope(sizes, [3 * size**exponent for size in sizes]) == pytest.approx(exponent)


async def test_both_sides_are_measured_in_turn_and_the_first_round_is_not_counted() -> None:
    calls: list[str] = []

    async def ours() -> float:
        calls.append("ours")
        return len(calls)

    async def theirs() -> float:
        calls.append("theirs")
        return len(calls)

    assert await side_by_side(ours, theirs) == ([3, 5, 7], [4, 6, 8])
    assert calls == ["ours", "theirs"] * 4


async def test_every_size_is_measured_in_each_round() -> None:
    costs = iter(range(8))

    async def measure() -> float:
        return next(costs)

    assert await growing([1, 10], [measure, measure]) == [[2, 4, 6], [3, 5, 7]]


def test_what_is_kept_of_a_row_is_what_is_shown() -> None:
    row = Row("Q9", "a wait", "ms", [12.0], [50.0], 1, less=True)
    growth = Growth("G9", "a cost", "µs", [100, 1_000], [[5.0], [50.0]])

    kept = results.results_of([row, growth])

    assert kept["Q9"]["ratio"] == 0.24
    assert (kept["Q9"]["ours"], kept["Q9"]["theirs"], kept["Q9"]["unit"]) == (12, 50, "ms")
    assert kept["G9"]["slope"] == 1
    for text in (results.table(kept), results.markdown(kept)):
        assert "(at most 50)" in text
        assert "100: 5, 1,000: 50 µs" in text


def test_what_is_lacking_is_said() -> None:
    assert lacking("disk", present=4 << 30, needed=4 << 30) == []
    assert lacking("disk", present=1 << 30, needed=4 << 30) == ["disk: 1.0 GB of the 4 GB needed"]


def test_without_ports_nothing_is_measured_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def taken() -> int:
        raise AssertionError("no ports are free")

    monkeypatch.setattr(room, "free_base", taken)
    monkeypatch.setattr(sys, "argv", ["bench", "P1"])
    assert main() == 2
    said = capsys.readouterr()
    assert said.err.startswith("bench: no room to measure in\n")
    assert "ports: none of the ranges between 20000 and 32000 is free" in said.err
    assert said.out == ""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from services.kit.clock import utc
from services.quotes.simulator.listing import LISTED
from services.quotes.simulator.market import Market, Replay, speed_milli
from services.quotes.simulator.recording import NotARecording, Recorded, read, symbol_of
from services.quotes.simulator.settings import Settings, arguments
from services.quotes.simulator.state import State

NOW = utc(2026, 11, 23, 18)
SECOND = timedelta(seconds=1)
QUOTES = """time,bid,ask
2020-01-01T22:00:00.065Z,1.12120,1.12172
2020-01-01T22:00:10.447Z,1.12121,1.12192
"""
TRADES = """time,price,size
2025-11-10T17:23:53.971745Z,105433.6,0.1
2025-11-10T17:23:53.971746Z,105410.1,0.5
"""


def prices(market: Market, seconds: int) -> list[tuple[str, str]]:
    found = []
    for tenth in range(seconds * 10):
        moment = NOW + (tenth + 1) * SECOND / 10
        found += [(priced.symbol, priced.price) for priced in market.due_until(moment)]
    return found


def test_one_seed_walks_one_way() -> None:
    assert prices(Market(Random(1), NOW, {}, 50), 5) == prices(Market(Random(1), NOW, {}, 50), 5)
    assert prices(Market(Random(1), NOW, {}, 50), 5) != prices(Market(Random(2), NOW, {}, 50), 5)


def test_every_symbol_lives_and_stays_near_where_it_began() -> None:
    walked = prices(Market(Random(1), NOW, {}, 50), 300)

    assert 40 <= len(walked) / 300 <= 60
    for symbol, listed in LISTED.items():
        mine = [float(price) for name, price in walked if name == symbol]
        assert len(set(mine)) > 20
        assert all(abs(price / float(listed.start) - 1) < 0.05 for price in mine)
        assert all(
            len(price.partition(".")[2]) == len(listed.start.partition(".")[2])
            for name, price in walked
            if name == symbol
        )


def test_a_frozen_symbol_stands_and_goes_on_from_there() -> None:
    market = Market(Random(1), NOW, {}, 50)
    prices(market, 1)
    market.freeze({"BTCUSD"})
    stood = market.prices()["BTCUSD"]
    assert "BTCUSD" not in dict(prices(market, 3))
    assert market.prices()["BTCUSD"] == stood


def test_last_prices_are_gone_on_from(tmp_path: Path) -> None:
    state = State(tmp_path / "new")
    state.save({"BTCUSD": "12345.67"})
    assert Market(Random(1), NOW, State(tmp_path / "new").load(), 50).prices()["BTCUSD"] == (
        "12345.67"
    )
    (tmp_path / "new" / "prices.json").write_text("{")
    assert state.load() == {}
    assert State(None).load() == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            QUOTES,
            [("0", "1.121460"), ("10.382", "1.121565")],
        ),
        (
            TRADES,
            [("0", "105433.6"), ("0.000001", "105410.1")],
        ),
        (
            "time,open,high,low,close\n2013-02-01T00:00:00Z,91.7,91.9,91.6,91.8\n",
            [("0", "91.7"), ("15", "91.6"), ("30", "91.9"), ("45", "91.8")],
        ),
    ],
)
def test_recordings_are_read_exactly(
    tmp_path: Path, text: str, expected: list[tuple[str, str]]
) -> None:
    file = tmp_path / "eurusd-2020.csv"
    file.write_text(text)
    found = read(file)
    wanted = [Recorded(timedelta(seconds=float(after)), "") for after, _ in expected]
    assert [item.offset for item in found] == [item.offset for item in wanted]
    assert [item.price.rstrip("0") for item in found] == [p.rstrip("0") for _, p in expected]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "time,bid,ask\n",
        "when,what\n1,2\n",
        "time,price,size\n2020-01-01T00:00:00Z,NaN,1\n",
        "time,price,size\n2020-01-01T00:00:00Z,-1,1\n",
        "time,bid,ask\nyesterday,1,2\n",
        "time,bid,ask\n2020-01-01T00:00:00Z,1\n",
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.csv"
    file.write_text(text)
    with pytest.raises(NotARecording):
        read(file)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("eurusd-2020-01-01.ticks.csv", "EURUSD"),
        ("btcusdt-2025-11-10.trades.csv", "BTCUSD"),
        ("USDJPY.csv", "USDJPY"),
        ("usdjpy_2013.csv", "USDJPY"),
    ],
)
def test_the_name_of_a_file_says_its_symbol(name: str, symbol: str) -> None:
    assert symbol_of(Path(name)) == symbol


def test_a_name_that_says_none_is_refused() -> None:
    with pytest.raises(NotARecording, match="--symbol"):
        symbol_of(Path("data.csv"))


def test_a_replay_keeps_the_recorded_pace_times_its_speed() -> None:
    recording = [Recorded(n * 10 * SECOND, str(n + 1)) for n in range(3)]
    replay = Replay("EURUSD", recording, speed_milli("5"))

    due = [replay.due(index, NOW) for index in range(5)]

    assert [(moment or NOW) - NOW for moment in due] == [
        2 * n * SECOND for n in (0, 1, 2, 2.1, 3.1)
    ]
    once = Replay("EURUSD", recording, loop=False)
    assert once.due(2, NOW) is not None
    assert once.due(3, NOW) is None


@pytest.mark.parametrize("text", ["0", "-1", "fast", "1e9", "0.0001"])
def test_an_impossible_speed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|speed"):
        speed_milli(text)


def test_the_environment_says_how_to_simulate_and_the_command_line_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = arguments(["simulated"], Settings())
    monkeypatch.setenv("VERITICK_SIMULATOR_CONTROL", "true")
    monkeypatch.setenv("VERITICK_SIMULATOR_TICKS_PER_SECOND", "186")
    told = arguments(["simulated"], Settings())
    corrected = arguments(["simulated", "--ticks-per-second", "7"], Settings())

    assert (plain.control, plain.ticks_per_second) == (False, 50)
    assert (told.control, told.ticks_per_second) == (True, 186)
    assert (corrected.control, corrected.ticks_per_second) == (True, 7)

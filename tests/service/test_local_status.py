import os
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest

from services.local.home import Home, Refusal
from services.local.part import Condition, Part, State
from services.local.ports import Ports
from services.local.settings import Feed, read
from services.local.status import Lines, Screen, Status, news, screen, span
from tests.platform import free_base
from tests.waiting import PATIENCE_SECONDS

NOON = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


def status(ready_after: float | None = None, ticks_per_second: float | None = None) -> Status:
    return Status(
        url="http://127.0.0.1:8080",
        staff_url="http://127.0.0.1:8080/admin/",
        stream_url="ws://127.0.0.1:8081/v1/stream",
        home="/home/me/.veritick",
        started=100.0,
        ready_after=ready_after,
        ticks_per_second=ticks_per_second,
    )


def condition(name: str, state: State, *, restarts: int = 0, note: str = "") -> Condition:
    part = Part(name, ("true",), address="127.0.0.1:8082")
    return Condition(part, state, since=105.0, restarts=restarts, note=note)


def plain(lines: list[str]) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", "\n".join(lines))


def test_a_platform_that_starts_says_for_how_long_and_gives_no_url_yet() -> None:
    shown = plain(screen(status(), [condition("quotes", State.STARTING)], now=107.0))
    assert "starting, 7 s" in shown
    assert "http://" not in shown


def test_a_platform_that_is_ready_shows_where_everything_is() -> None:
    ready = status(ready_after=5.0, ticks_per_second=48.0)
    shown = plain(screen(ready, [condition("identity", State.WELL)], now=109.0))
    for fact in (
        "ready http://127.0.0.1:8080\n",
        "staff   http://127.0.0.1:8080/admin/",
        "ws://127.0.0.1:8081/v1/stream",
        "48/s",
    ):
        assert fact in shown
    assert re.search(r"● identity +well +4\.0 s +127\.0\.0\.1:8082", shown)


def test_a_part_that_died_says_how_often_and_why() -> None:
    down = condition("trading", State.DOWN, restarts=2, note="killed by SIGKILL, again in 0.5 s")
    shown = plain(screen(status(), [down], now=106.0, width=100))
    assert re.search(r"trading +down .*restarted 2×  killed by SIGKILL, again in 0\.5 s", shown)


def test_a_migration_is_shown_until_it_is_done() -> None:
    part = Part("migrate quotes", ("true",), once=True)
    running, done = Condition(part, State.STARTING), Condition(part, State.DONE)
    assert "migrate quotes" in plain(screen(status(), [running], now=101.0))
    assert "migrate quotes" not in plain(screen(status(), [done], now=101.0))


def test_the_screen_never_outgrows_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "12")
    out = StringIO()
    loud = status()
    for number in range(50):
        loud.tell(f"news {number} " + "x" * 200)
    parts = [condition(f"part-{n}", State.DOWN, note="y" * 200) for n in range(9)]
    Screen(out).draw(loud, parts, now=110.0)
    lines = plain([out.getvalue()]).split("\r\n")
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 60


def test_the_screen_gives_the_terminal_back() -> None:
    out = StringIO()
    display = Screen(out)
    display.open()
    display.close("stopped")
    assert out.getvalue() == "\x1b[?1049h\x1b[?25l\x1b[?25h\x1b[?1049lstopped\n"


def test_plain_lines_come_one_by_one_and_at_once() -> None:
    out = StringIO()
    Lines(out).tell("ready http://127.0.0.1:8080")
    assert out.getvalue() == "ready http://127.0.0.1:8080\n"


@pytest.mark.parametrize(
    ("state", "note", "last_words", "expected"),
    [
        (State.WELL, "", "", "12:00:05 trading is well (1.5 s)"),
        (State.UNWELL, "", "", "12:00:05 trading does not answer"),
        (
            State.DOWN,
            "ended with 1, again in 0.5 s",
            "no such table",
            "12:00:05 trading died: ended with 1, again in 0.5 s: no such table",
        ),
    ],
)
def test_news_is_one_line(state: State, note: str, last_words: str, expected: str) -> None:
    assert news(condition("trading", state, note=note), NOON, 1.5, last_words) == expected


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.44, "0.4 s"), (12.3, "12 s"), (119, "119 s"), (300, "5 min"), (10800, "3 h")],
)
def test_a_duration_is_said_as_a_person_would(seconds: float, said: str) -> None:
    assert span(seconds) == said


# ---- settings and refusals ---------------------------------------------------------------------


def test_the_settings_have_defaults_that_work(tmp_path: Path) -> None:
    settings = read({}, Feed(), tmp_path)
    assert (settings.home, settings.port) == (tmp_path / ".veritick", 8080)
    assert not settings.real_accounts


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("VERITICK_PORT", "http", "VERITICK_PORT must be a number"),
        ("VERITICK_PORT", "0", "VERITICK_PORT must be a number"),
        ("VERITICK_PORT", "65530", "VERITICK_PORT must be a number"),
        ("VERITICK_REAL_ACCOUNTS", "perhaps", "VERITICK_REAL_ACCOUNTS must be true or false"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    name: str, value: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(Refusal, match=reason):
        read({name: value}, Feed(), tmp_path)


def test_a_replay_needs_its_recording(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="needs FILE"):
        read({}, Feed("replay", tmp_path / "absent.csv"), tmp_path)


def start(base: int, home: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "VERITICK_PORT": str(base), "VERITICK_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "services"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("part", ["rest", "trading", "settlement metrics"])
def test_a_taken_port_is_refused_in_one_line_before_anything_starts(
    part: str, tmp_path: Path
) -> None:
    base = free_base()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", Ports(base).of(part)))
        other.listen()
        refused = start(base, tmp_path / "home")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == (
        f"veritick: port {Ports(base).of(part)} ({part}) taken: stop what uses it, "
        "or set VERITICK_PORT\n"
    )
    assert not (tmp_path / "home" / "postgres").exists()


def test_a_second_platform_on_the_same_home_is_refused(tmp_path: Path) -> None:
    with Home(tmp_path / "home").held("by process 7, http://127.0.0.1:8080"):
        refused = start(free_base(), tmp_path / "home")
    assert refused.returncode == 1
    assert refused.stderr == (
        f"veritick: {tmp_path / 'home'} is in use: by process 7, http://127.0.0.1:8080\n"
    )

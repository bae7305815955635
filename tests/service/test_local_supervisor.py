import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.local.logs import Log
from services.local.part import Condition, Part, Probe, State
from services.local.process import leashed
from services.local.supervisor import Pace, Supervisor
from tests.waiting import PATIENCE_SECONDS, eventually, until

QUICK = Pace(
    first_delay=0.05,
    longest_delay=0.4,
    probe_starting=0.02,
    probe_well=0.02,
    probes_to_be_unwell=2,
    bound_logs=0.05,
)


@dataclass
class Watched:
    """A supervisor, and everything it told, in order."""

    logs: Path
    pace: Pace = QUICK
    told: list[tuple[str, State]] = field(default_factory=list)
    supervisor: Supervisor = field(init=False)

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.logs, os.environ, self._listen, self.pace)

    def _listen(self, condition: Condition, _lasted: float) -> None:
        self.told.append((condition.part.name, condition.state))

    def of(self, name: str) -> list[State]:
        return [state for part, state in self.told if part == name]


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    watched = Watched(tmp_path)
    yield watched
    await watched.supervisor.stop()


async def always() -> bool:
    return True


def shell(
    name: str,
    script: str,
    *,
    needs: tuple[str, ...] = (),
    probe: Probe | None = always,
    once: bool = False,
    stop_seconds: float = 10,
) -> Part:
    command = tuple(leashed(["sh", "-c", script]))
    return Part(name, command, {}, needs, probe, once, stop_seconds=stop_seconds)


def exists(path: Path) -> Probe:
    async def probe() -> bool:
        return path.exists()

    return probe


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_part_that_dies_is_started_again_and_says_so(
    watched: Watched, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    script = f"until [ -e {broken} ]; do sleep 0.02; done; exit 3"
    watched.supervisor.start([shell("brittle", script)])
    await watched.supervisor.all_fine()
    broken.touch()
    condition = watched.supervisor.conditions["brittle"]
    await eventually(lambda: condition.restarts >= 2)
    assert watched.of("brittle")[:4] == [State.STARTING, State.WELL, State.DOWN, State.STARTING]


async def test_a_death_is_told_with_how_it_came(watched: Watched) -> None:
    watched.supervisor.start([shell("ended", "exit 3"), shell("killed", "kill -9 $$")])
    conditions = watched.supervisor.conditions
    await eventually(lambda: conditions["ended"].note.startswith("ended with 3, again in"))
    await eventually(lambda: conditions["killed"].note.startswith("killed by SIGKILL"))


async def test_a_command_that_is_not_there_is_tried_again_like_any_death(watched: Watched) -> None:
    watched.supervisor.start([Part("absent", ("/nowhere/at/all",))])
    await eventually(lambda: watched.supervisor.conditions["absent"].restarts >= 2)


def test_the_delay_doubles_up_to_the_longest() -> None:
    pace = Pace(first_delay=1, longest_delay=8)
    means = [sum(pace.delay(deaths) for _ in range(200)) / 200 for deaths in range(1, 7)]
    assert means == pytest.approx([1, 2, 4, 8, 8, 8], rel=0.1)
    assert pace.delay(10_000) <= 8 * 1.2


async def test_a_part_waits_for_what_it_needs(watched: Watched, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    watched.supervisor.start(
        [
            shell("later", "sleep 60", needs=("first", "migration")),
            shell("first", "sleep 60", probe=exists(ready)),
            shell("migration", "exit 0", once=True, probe=None),
        ]
    )
    conditions = watched.supervisor.conditions
    await eventually(lambda: conditions["migration"].state is State.DONE)
    assert conditions["later"].state is State.WAITING
    ready.touch()
    await watched.supervisor.all_fine()
    assert watched.told.index(("first", State.WELL)) < watched.told.index(("later", State.STARTING))


async def test_what_runs_once_is_repeated_until_it_succeeds(
    watched: Watched, tmp_path: Path
) -> None:
    script = f"cd {tmp_path}; [ -e tried ] && exit 0; touch tried; exit 1"
    watched.supervisor.start([shell("migration", script, once=True, probe=None)])
    await watched.supervisor.all_fine()
    assert watched.of("migration") == [State.STARTING, State.DOWN, State.STARTING, State.DONE]


async def test_a_part_that_stops_answering_is_unwell_until_it_does(
    watched: Watched, tmp_path: Path
) -> None:
    answers = tmp_path / "answers"
    answers.touch()
    watched.supervisor.start([shell("moody", "sleep 60", probe=exists(answers))])
    await watched.supervisor.all_fine()
    answers.unlink()
    await eventually(lambda: watched.of("moody")[-1] is State.UNWELL)
    answers.touch()
    await eventually(lambda: watched.of("moody")[-1] is State.WELL)
    assert State.DOWN not in watched.of("moody")


async def test_the_last_started_are_stopped_first(watched: Watched, tmp_path: Path) -> None:
    order = tmp_path / "order"
    for name in ("store", "service", "edge"):
        script = f"trap 'echo {name} >> {order}; exit 0' TERM; touch {tmp_path}/{name}; "
        script += "while :; do sleep 0.02; done"
        watched.supervisor.start([shell(name, script, probe=exists(tmp_path / name))])
    await watched.supervisor.all_fine()
    await watched.supervisor.stop()
    assert order.read_text().split() == ["edge", "service", "store"]


async def test_a_part_that_ignores_the_request_to_stop_is_made_to(
    watched: Watched, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    script = f"trap '' TERM; echo $$ > {pid}; while :; do sleep 0.05; done"
    watched.supervisor.start([shell("stubborn", script, probe=exists(pid), stop_seconds=0.3)])
    await watched.supervisor.all_fine()
    await eventually(lambda: bool(pid.read_text()))
    stubborn = int(pid.read_text())
    assert alive(stubborn)
    await watched.supervisor.stop()
    assert not alive(stubborn)
    assert watched.of("stubborn")[-1] is State.STOPPED


async def test_what_a_part_left_running_goes_with_it(watched: Watched, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    watched.supervisor.start([shell("parent", f"sleep 60 & echo $! > {pid}; exec sleep 60")])
    await eventually(lambda: pid.exists() and bool(pid.read_text()))
    await watched.supervisor.stop()
    await eventually(lambda: not alive(int(pid.read_text())))


async def test_stopping_does_not_wait_for_the_next_try_of_what_is_down(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Pace(first_delay=3600, longest_delay=3600))
    watched.supervisor.start([shell("down", "exit 1")])
    await eventually(lambda: watched.of("down")[-1:] == [State.DOWN])
    async with asyncio.timeout(PATIENCE_SECONDS):
        await watched.supervisor.stop()
    assert watched.of("down")[-1] is State.STOPPED


async def test_what_a_part_says_is_in_its_log_and_the_last_run_in_the_one_before(
    tmp_path: Path,
) -> None:
    for words in ("first run", "second run"):
        watched = Watched(tmp_path)
        watched.supervisor.start([shell("talker", f"echo {words}; echo aloud >&2; sleep 60")])
        await eventually(lambda: Log(tmp_path, "talker").last_words() == "aloud")
        await watched.supervisor.stop()
    assert (tmp_path / "talker.log").read_text() == "second run\naloud\n"
    assert (tmp_path / "talker.log.1").read_text() == "first run\naloud\n"


def test_a_log_that_grew_too_large_is_cut_under_the_hand_of_its_writer(tmp_path: Path) -> None:
    log = Log(tmp_path, "chatter")
    output = log.open()
    try:
        os.write(output, b"x" * 2000)
        log.bound(largest_bytes=1000)
        os.write(output, b"and on\n")
    finally:
        os.close(output)
    assert log.path.read_text() == "and on\n"
    assert (tmp_path / "chatter.log.1").stat().st_size == 2000


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Segmentation fault\n\n", "Segmentation fault"),
        ('{"event": "stopping", "service": "quotes"}\n', "stopping"),
        (
            '{"event": "a task failed", "exception": "Trace\\n x\\nValueError: no such book"}\n',
            "a task failed: ValueError: no such book",
        ),
        ("x" * 5000 + "\n", "x" * 200),
        ("", ""),
    ],
)
def test_the_last_words_of_a_part_are_short_and_say_why(
    tmp_path: Path, said: str, words: str
) -> None:
    (tmp_path / "part.log").write_text(said)
    assert Log(tmp_path, "part").last_words() == words


SUPERVISOR = """
import asyncio, os, sys
from pathlib import Path
from services.local.part import Part
from services.local.process import leashed
from services.local.supervisor import Pace, Supervisor

async def main():
    supervisor = Supervisor(Path(sys.argv[1]), os.environ, lambda *_: None, Pace())
    script = "trap '' TERM HUP INT; echo $$; while :; do sleep 0.1; done"
    supervisor.start([Part(name, tuple(leashed(["sh", "-c", script]))) for name in "ab"])
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_no_part_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(tmp_path)])
    parts: Sequence[int] = []
    try:
        logs = [tmp_path / "a.log", tmp_path / "b.log"]
        until(lambda: all(log.exists() and log.read_text().strip() for log in logs))
        parts = [int(log.read_text()) for log in logs]
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait()
        until(lambda: not any(alive(pid) for pid in parts))
    finally:
        supervisor.kill()
        for pid in parts:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

"""What arms a failpoint, what it then does, and where it cannot be armed."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.kit import failpoints
from services.kit.failpoints import PLACES, FailpointError, arm, process_clock, reached
from services.kit.settings import ServiceSettings

SERVICES = Path(__file__).parents[2] / "services"
PLACE = "writer.after_write"


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm("", None)


def test_unarmed_nothing_happens() -> None:
    reached(PLACE)
    arm("worker.before_settle=error", None)
    reached(PLACE)


def test_an_error_is_raised_where_it_is_armed() -> None:
    arm(f"worker.before_settle=error; {PLACE}=error", None)
    with pytest.raises(FailpointError):
        reached(PLACE)


@pytest.mark.parametrize(("action", "code"), [("kill", -signal.SIGKILL), ("exit", 1)])
def test_a_process_dies_where_it_is_armed(action: str, code: int) -> None:
    program = (
        "from services.kit.failpoints import arm, reached;"
        f"arm('{PLACE}={action}', None); reached('{PLACE}'); print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, b"alive" in done.stdout) == (code, False)


def test_chance_is_repeated_by_the_seed() -> None:
    def failures(seed: int) -> list[int]:
        arm(f"{PLACE}=error@0.2", seed)
        return [number for number in range(200) if _fails()]

    assert failures(7) == failures(7) != failures(8)
    assert 20 < len(failures(7)) < 60


def test_a_wrong_clock_is_wrong_by_that_much() -> None:
    arm("clock=offset:-5", None)
    behind = datetime.now(UTC) - process_clock().now()
    assert timedelta(seconds=5) <= behind + timedelta(seconds=0.5) < timedelta(seconds=6)


@pytest.mark.parametrize(
    "text",
    [
        "nowhere=kill",
        PLACE,
        f"{PLACE}=explode",
        f"{PLACE}=kill:1",
        f"{PLACE}=kill@often",
        f"{PLACE}=sleep",
        "clock=offset:x",
        "clock=kill",
    ],
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ServiceSettings(mode="development", failpoints=text)


def test_production_refuses_failpoints() -> None:
    with pytest.raises(ValidationError, match="production refuses failpoints"):
        ServiceSettings(mode="production", failpoints=f"{PLACE}=kill")


def test_every_place_is_reached_somewhere_and_every_one_reached_is_listed() -> None:
    sources = [path.read_text() for path in SERVICES.rglob("*.py")]
    named = {name for text in sources for name in re.findall(r'\breached\("([^"]+)"\)', text)}
    assert named == set(PLACES)
    assert failpoints.CLOCK not in PLACES


def _fails() -> bool:
    try:
        reached(PLACE)
    except FailpointError:
        return True
    return False

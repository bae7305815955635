import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform import STOP_SECONDS, Platform, running_platform
from tests.waiting import until

pytestmark = [pytest.mark.platform, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that these tests may hurt."""
    with running_platform(tmp_path_factory.mktemp("own") / "home") as platform:
        yield platform


def processes_of(platform: Platform) -> dict[int, str]:
    """Return the processes whose environment or command names this platform's home."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            if str(platform.home).encode() in said:
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


def process_of(platform: Platform, words: str) -> int:
    return next(pid for pid, command in processes_of(platform).items() if words in command)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_what_is_ready_answers(own: Platform) -> None:
    until(lambda: answers(f"{own.url}/readyz"))


def test_nothing_secret_is_on_a_command_line(own: Platform) -> None:
    secrets = (own.home / "passwords.json").read_text().split('"')[3::4]
    assert len(secrets) > 5
    commands = " ".join(processes_of(own).values())
    assert not [secret for secret in secrets if secret in commands]


@pytest.mark.parametrize("part", ["services.identity", "services.trading", "postgres -D"])
def test_a_part_that_is_killed_comes_back_and_says_so(own: Platform, part: str) -> None:
    name = part.removeprefix("services.").split()[0]
    before = len(own.lines)
    os.kill(process_of(own, part), signal.SIGKILL)
    until(lambda: any(f" {name} died: killed by SIGKILL" in line for line in own.lines[before:]))
    until(lambda: any(f" {name} is well" in line for line in own.lines[before:]))
    until(lambda: answers(f"{own.url}/readyz"))


def test_no_process_survives_its_platform_and_the_next_finds_everything(own: Platform) -> None:
    key = (own.home / "keys" / "public" / "identity.pem").read_bytes()
    assert len(processes_of(own)) >= 9
    os.kill(own.process.pid, signal.SIGINT)
    assert own.process.wait(STOP_SECONDS) == 0
    assert processes_of(own) == {}
    assert own.lines[-1] == "stopped"
    with running_platform(own.home) as second:
        assert not [line for line in second.lines if "migrate" in line]
        assert (own.home / "keys" / "public" / "identity.pem").read_bytes() == key
        second.process.kill()
        until(lambda: processes_of(second) == {})

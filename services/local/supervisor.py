"""Keeps the parts of the platform alive, and ends them all together."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.local.logs import Log
from services.local.part import Condition, Part, State

Listener = Callable[[Condition, float], None]
"""Told of every change of state, and for how many seconds the state before it lasted."""


@dataclass(frozen=True)
class Pace:
    """How fast the supervisor looks and tries again; all in seconds.

    The delay before a restart doubles with each death in a row, from the first to the longest, and
    is the first again after a part has run for `steady_after`.
    """

    first_delay: float = 0.25
    longest_delay: float = 15
    steady_after: float = 30
    probe_starting: float = 0.1
    probe_well: float = 1
    probes_to_be_unwell: int = 3
    bound_logs: float = 10

    def delay(self, deaths_in_a_row: int) -> float:
        """Return how long to wait before the next start, a little uneven."""
        doubled = self.first_delay * 2.0 ** min(deaths_in_a_row - 1, 30)
        return min(doubled, self.longest_delay) * random.uniform(0.8, 1.2)  # noqa: S311


class Supervisor:
    """Runs groups of parts. `stop` ends the group started last first, each group at once."""

    def __init__(
        self, logs: Path, base_environment: Mapping[str, str], listener: Listener, pace: Pace
    ) -> None:
        self.conditions: dict[str, Condition] = {}
        self._logs = logs
        self._base = base_environment
        self._listener = listener
        self._pace = pace
        self._groups: list[list[asyncio.Task[None]]] = []
        self._changed = asyncio.Event()
        self._log_keeper = asyncio.create_task(self._bound_logs())

    def start(self, parts: Iterable[Part]) -> None:
        """Start a group of parts, each as soon as what it needs is well."""
        group = []
        for part in parts:
            self.conditions[part.name] = Condition(part, since=time.monotonic())
            Log(self._logs, part.name).rotate()
            group.append(asyncio.create_task(self._keep(part), name=part.name))
        self._groups.append(group)

    async def all_fine(self) -> None:
        """Wait until every part that was started is well or done."""
        await self._all_fine(tuple(self.conditions))

    async def _all_fine(self, names: Iterable[str]) -> None:
        while not all(self.conditions[name].fine for name in names):
            self._changed.clear()
            await self._changed.wait()

    async def stop(self) -> None:
        """End every part, the ones started last first, and wait until each is gone."""
        self._log_keeper.cancel()
        for group in reversed(self._groups):
            for task in group:
                task.cancel()
            await asyncio.gather(*group, return_exceptions=True)

    # ---- one part -------------------------------------------------------------------------------

    async def _keep(self, part: Part) -> None:
        condition = self.conditions[part.name]
        try:
            await self._all_fine(part.needs)
            await self._run_until_done(part, condition)
        finally:
            if condition.state is not State.DONE:
                self._set(condition, State.STOPPED)

    async def _run_until_done(self, part: Part, condition: Condition) -> None:
        deaths_in_a_row = 0
        while True:
            self._set(condition, State.STARTING)
            started = time.monotonic()
            code = await self._run(part, condition)
            if part.once and code == 0:
                self._set(condition, State.DONE)
                return
            steady = time.monotonic() - started > self._pace.steady_after
            deaths_in_a_row = 1 if steady else deaths_in_a_row + 1
            delay = self._pace.delay(deaths_in_a_row)
            condition.restarts += 1
            self._set(condition, State.DOWN, f"{_ending(code)}, again in {delay:.1f} s")
            await asyncio.sleep(delay)

    async def _run(self, part: Part, condition: Condition) -> int:
        """Run the process until it ends and return how; end it when this task is cancelled."""
        output = Log(self._logs, part.name).open()
        try:
            # By asyncio's own loop, which starts a program without a fork that can be noticed: that
            # of uvloop would run handlers of gRPC's, whose probes live here, in the child.
            process = await asyncio.create_subprocess_exec(
                *part.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**self._base, **part.environment},
                start_new_session=True,
            )
        except OSError as error:
            condition.note = str(error)
            return 127
        finally:
            os.close(output)
        watcher = asyncio.create_task(self._watch(part, condition))
        try:
            return await process.wait()
        finally:
            watcher.cancel()
            await _settled(_end(process, part))

    async def _watch(self, part: Part, condition: Condition) -> None:
        """Follow what the probe says."""
        failures = 0
        while part.probe is not None:
            well = await part.probe()
            failures = 0 if well else failures + 1
            if well:
                self._set(condition, State.WELL)
            elif condition.state is State.WELL and failures >= self._pace.probes_to_be_unwell:
                self._set(condition, State.UNWELL)
            await asyncio.sleep(self._pace.probe_well if well else self._pace.probe_starting)

    def _set(self, condition: Condition, state: State, note: str = "") -> None:
        if condition.state is state and condition.note == note:
            return
        now = time.monotonic()
        lasted = now - condition.since
        condition.state, condition.note, condition.since = state, note, now
        self._changed.set()
        self._listener(condition, lasted)

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(self._pace.bound_logs)
            for name in self.conditions:
                Log(self._logs, name).bound()


async def _end(process: asyncio.subprocess.Process, part: Part) -> None:
    """Ask the process to stop, then make it, and sweep what it may have left in its session."""
    if process.returncode is None:
        _signal_group(process.pid, part.stop_signal)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), part.stop_seconds)
    _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


async def _settled(work: Coroutine[None, None, None]) -> None:
    """Carry `work` through even if this task is cancelled meanwhile, then let the cancel go on."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

"""One experiment: traders under load, two of them listening, the auditor, the checks afterwards."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from tests.faults import checks
from tests.faults.auditing import auditing
from tests.faults.listener import Heard, listening
from tests.faults.load import Load, Trader, trading
from tests.faults.report import Finding
from tests.faults.world import World


@dataclass
class Experiment:
    """One experiment: traders, two of them listening, and the checks afterwards."""

    world: World
    name: str
    random: Random
    note: Callable[[Finding], None]
    _cured_at: float | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @asynccontextmanager
    async def under_load(
        self, *, traders: int = 8, at_once: int = 16, pause_seconds: float = 0.05
    ) -> AsyncIterator[tuple[Load, list[Heard]]]:
        """Let traders trade while the block hurts the platform; then all must be well again."""
        seed = self.random.randrange(1 << 30)
        async with trading(self.world, seed, traders=traders) as load, AsyncExitStack() as stack:
            self._stack = stack
            heard = [await self.listener(trader) for trader in load.traders[:2]]
            async with auditing(self.world), load.going_on(at_once, pause_seconds):
                await load.acknowledged_more(10)
                yield load, heard
                await load.acknowledged_more(10)
            await self.conclude(load, heard)

    async def listener(self, trader: Trader) -> Heard:
        """Let somebody begin to listen now, until the load is over and checked."""
        return await self._stack.enter_async_context(listening(self.world, trader))

    def cure(self) -> None:
        """Note that what hurts is over now: recovery counts from here.

        Without it, recovery is the longest time that traders had to wait for an order.
        """
        self._cured_at = time.monotonic()

    async def conclude(self, load: Load, heard: Sequence[Heard]) -> None:
        """Write down what was seen, and check that all is well."""
        recovery_seconds = load.tally.longest_wait_seconds
        if self._cured_at is not None:
            recovery_seconds = load.tally.wait_seconds_after(self._cured_at)
        tally = load.tally
        await load.ask_again()
        self.note(
            Finding(
                self.name,
                runs=1,
                orders=tally.orders,
                acknowledged=len(tally.acknowledged),
                lost=len(checks.lost(self.world, tally)),
                double=tally.doubles + len(checks.doubled(self.world, tally)),
                recovery_seconds=recovery_seconds,
            )
        )
        await checks.assert_all_is_well(self.world, load.tally, heard)

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import text

from services.kit.clock import SystemClock
from services.kit.database import Database, DatabaseUnavailable
from services.kit.leader import Leadership, LeadershipLost, Term, fence
from services.kit.settings import DatabaseSettings
from tests.service.kit_databases import running_server
from tests.waiting import PATIENCE_SECONDS, eventually

pytest_plugins = ["tests.service.kit_fixtures"]

LEASE_SECONDS = 1.0

# Leads in a process of its own, so that it can really be killed or paused. It says its epoch,
# then for each line it reads writes one note within a fenced transaction and says the outcome;
# "hold" stays in the middle of that transaction until the next line.
LEADER = """
import asyncio, sys
from services.kit.clock import SystemClock
from services.kit.database import Database, DatabaseUnavailable
from services.kit.ids import uuid7
from services.kit.leader import Leadership, LeadershipLost
from services.kit.logs import configure_logs

def say(word):
    print(word, file=sys.stderr, flush=True)

async def line():
    return (await asyncio.to_thread(sys.stdin.readline)).strip()

async def main():
    configure_logs("leader", "json")
    url = await line()
    async with Database(url, name="leader") as database:
        leadership = Leadership(database, "book", SystemClock(), uuid7, lease_seconds=1,
                                renew_every_seconds=0.3)
        async with leadership.term() as term:
            say(term.epoch)
            while order := await line():
                try:
                    async with database.raw() as raw, raw.transaction():
                        await term.fence(raw)
                        await raw.execute("INSERT INTO note VALUES (1, 'from the old leader')")
                        if order == "hold":
                            say("holding")
                            await line()
                    say("committed")
                except (LeadershipLost, DatabaseUnavailable) as error:
                    say(type(error).__name__)

asyncio.run(main())
"""


def candidate(database: Database, *, lease_seconds: float = LEASE_SECONDS) -> Leadership:
    return Leadership(
        database,
        "book",
        SystemClock(),
        uuid4,
        lease_seconds=lease_seconds,
        renew_every_seconds=LEASE_SECONDS / 4,
        ask_every_seconds=0.05,
    )


def patient(database: Database) -> Leadership:
    """Return a candidate whose lease runs out in no test, however slow the machine is."""
    return candidate(database, lease_seconds=10 * PATIENCE_SECONDS)


async def elected(leadership: Leadership) -> int:
    """Return the epoch of a term that is released at once."""
    async with leadership.term() as term:
        return term.epoch


async def renewals(database: Database, number: int) -> None:
    """Wait until the lease has been prolonged so often, with a lease too long to run out."""

    async def expiry() -> object:
        async with database.connection() as connection:
            return (await connection.execute(text("SELECT expires_at FROM leader"))).scalar_one()

    for _ in range(number):
        before = await expiry()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await expiry() == before:
                await asyncio.sleep(0.01)


async def notes(database: Database) -> int:
    async with database.connection() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM note"))).scalar_one())


class Process:
    """A leader in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def hear(self) -> str:
        assert self._process.stderr
        async with asyncio.timeout(PATIENCE_SECONDS):
            return (await self._process.stderr.readline()).decode().strip()

    async def ask(self, line: str) -> str:
        await self.tell(line)
        return await self.hear()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)


@asynccontextmanager
async def leading_process(settings: DatabaseSettings) -> AsyncIterator[Process]:
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEADER, stdin=pipe, stdout=asyncio.subprocess.DEVNULL, stderr=pipe
    )
    process = Process(started)
    try:
        assert await process.ask(settings.database_url.get_secret_value()) == "1"
        yield process
    finally:
        with suppress(ProcessLookupError):
            started.kill()
        await started.communicate()


async def test_of_many_candidates_one_leads_at_a_time(kit_database: Database) -> None:
    leading = 0
    epochs: list[int] = []

    async def lead_for_a_moment() -> None:
        nonlocal leading
        async with patient(kit_database).term() as term:
            leading += 1
            assert leading == 1
            epochs.append(term.epoch)
            await asyncio.sleep(0.05)
            leading -= 1

    await asyncio.gather(*(lead_for_a_moment() for _ in range(8)))

    assert epochs == list(range(1, 9))


async def test_a_leader_renews_its_lease_and_keeps_others_out(kit_database: Database) -> None:
    async with patient(kit_database).term() as term:
        standby = asyncio.create_task(elected(candidate(kit_database)))
        await renewals(kit_database, 5)

        assert not standby.done()
        assert not term.lost.is_set()

    assert await standby == 2


async def test_a_release_hands_over_at_once(kit_database: Database) -> None:
    async with patient(kit_database).term():
        standby = asyncio.create_task(elected(candidate(kit_database)))
        await asyncio.sleep(0.2)

    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await standby == 2


async def test_leaderships_of_different_names_are_independent(kit_database: Database) -> None:
    other = Leadership(kit_database, "another", SystemClock(), uuid4)

    async with patient(kit_database).term(), asyncio.timeout(PATIENCE_SECONDS):
        assert await elected(other) == 1


async def test_a_killed_leader_is_replaced_when_its_lease_runs_out(
    kit_settings: DatabaseSettings, kit_database: Database
) -> None:
    async with leading_process(kit_settings) as leader:
        assert await leader.ask("write") == "committed"
        leader.send(signal.SIGKILL)

        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await elected(candidate(kit_database)) == 2


async def test_a_paused_leader_can_commit_nothing_when_it_wakes_up(
    kit_settings: DatabaseSettings, kit_database: Database
) -> None:
    async with leading_process(kit_settings) as leader:
        leader.send(signal.SIGSTOP)
        async with candidate(kit_database).term() as term:
            assert term.epoch == 2
            leader.send(signal.SIGCONT)

            assert await leader.ask("write") == "LeadershipLost"

    assert await notes(kit_database) == 0


async def test_a_leader_paused_within_a_transaction_neither_commits_nor_blocks_for_ever(
    kit_settings: DatabaseSettings, kit_database: Database
) -> None:
    async with leading_process(kit_settings) as leader:
        assert await leader.ask("hold") == "holding"
        leader.send(signal.SIGSTOP)

        async with asyncio.timeout(PATIENCE_SECONDS), candidate(kit_database).term() as term:
            assert term.epoch == 2
            leader.send(signal.SIGCONT)
            assert await leader.ask("go on") == "DatabaseUnavailable"

    assert await notes(kit_database) == 0


async def test_an_election_waits_for_what_the_last_leader_has_in_flight(
    kit_database: Database,
) -> None:
    async with candidate(kit_database).term() as term:
        epoch = term.epoch
    async with kit_database.transaction() as connection:
        await fence(connection, "book", epoch)
        successor = asyncio.create_task(elected(candidate(kit_database)))
        await asyncio.sleep(0.3)
        assert not successor.done()
        await connection.execute(text("INSERT INTO note VALUES (1, 'in time')"))

    assert await successor == epoch + 1
    assert await notes(kit_database) == 1
    with pytest.raises(LeadershipLost):
        async with kit_database.transaction() as connection:
            await fence(connection, "book", epoch)


@pytest.mark.parametrize("epoch", [0, 1, 3])
async def test_only_the_current_epoch_passes_the_fence(kit_database: Database, epoch: int) -> None:
    for _ in range(2):
        await elected(candidate(kit_database))

    async with kit_database.raw() as raw, raw.transaction():
        await fence(raw, "book", 2)
    with pytest.raises(LeadershipLost):
        async with kit_database.raw() as raw, raw.transaction():
            await fence(raw, "book", epoch)


async def test_a_leader_that_commits_without_pause_still_renews(kit_database: Database) -> None:
    numbers = count()

    async def write_for_ever(term: Term, begin_after_seconds: float) -> None:
        await asyncio.sleep(begin_after_seconds)
        while True:
            async with kit_database.raw() as raw, raw.transaction():
                await term.fence(raw)
                await raw.execute("INSERT INTO note VALUES (%s, 'busy')", [next(numbers)])
                await asyncio.sleep(0.2)

    async with patient(kit_database).term() as term:
        standby = asyncio.create_task(elected(candidate(kit_database)))
        # At any moment three of the four are in the middle of a fenced transaction.
        writers = [asyncio.create_task(write_for_ever(term, 0.05 * turn)) for turn in range(4)]
        await renewals(kit_database, 5)

        assert not standby.done()
        assert not term.lost.is_set()
        assert not any(writer.done() for writer in writers)
        for writer in writers:
            writer.cancel()
        await asyncio.wait(writers)

    assert await standby == 2


async def test_a_lost_term_is_noticed_and_its_work_cancelled(kit_database: Database) -> None:
    terms: list[Term] = []
    cancelled = asyncio.Event()

    async def work(term: Term) -> None:
        terms.append(term)
        if len(terms) == 2:
            return
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    leading = asyncio.create_task(patient(kit_database).run(work))
    await eventually(lambda: bool(terms))
    async with kit_database.raw() as raw, raw.transaction():
        await raw.execute("UPDATE leader SET epoch = epoch + 1, expires_at = '-infinity'")

    async with asyncio.timeout(PATIENCE_SECONDS):
        await leading
    assert cancelled.is_set()
    assert terms[0].lost.is_set()
    assert [term.epoch for term in terms] == [1, 3]


async def test_work_that_fails_frees_the_leadership_and_is_heard(kit_database: Database) -> None:
    async def fail(term: Term) -> None:
        raise LookupError(f"in epoch {term.epoch}")

    with pytest.raises(LookupError, match="in epoch 1"):
        await patient(kit_database).run(fail)

    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await elected(candidate(kit_database)) == 2


async def test_work_that_meets_an_outage_is_begun_again_in_a_new_term(
    kit_database: Database,
) -> None:
    epochs: list[int] = []

    async def work(term: Term) -> None:
        epochs.append(term.epoch)
        if term.epoch < 3:
            raise DatabaseUnavailable("away")

    await candidate(kit_database).run(work)

    assert epochs == [1, 2, 3]


async def test_stopping_a_leader_stops_its_work_and_frees_the_leadership(
    kit_database: Database,
) -> None:
    working = asyncio.Event()
    stopped = asyncio.Event()

    async def work(_: Term) -> None:
        working.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    leading = asyncio.create_task(patient(kit_database).run(work))
    await working.wait()
    leading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leading

    assert stopped.is_set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await elected(candidate(kit_database)) == 2


async def test_an_outage_longer_than_the_lease_ends_the_term_and_the_next_one_begins() -> None:
    with running_server() as own:
        settings = own.databases.migrated()
        async with Database.from_settings(settings, name="leader") as database:
            async with candidate(database).term() as term:
                own.stop()
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await term.lost.wait()
                own.start()

            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await elected(candidate(database)) == 2


def test_a_lease_must_outlast_its_renewal() -> None:
    database = Database("", name="none")

    with pytest.raises(ValueError, match="renewed"):
        Leadership(database, "book", SystemClock(), uuid4, lease_seconds=1, renew_every_seconds=1)

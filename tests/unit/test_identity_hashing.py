"""Hashing happens beside the event loop, within bounds, and is renewed when its cost changes."""

import asyncio

import argon2
import pytest

from services.identity.hashing import Cost, PasswordHasher, Verdict
from services.kit.errors import Failure
from services.kit.reason import Reason
from tests.waiting import eventually

CHEAP = Cost(memory_kib=64, iterations=1, lanes=1)
DEARER = Cost(memory_kib=128, iterations=2, lanes=1)
SLOW = Cost(memory_kib=64 * 1024, iterations=6, lanes=1)


async def test_a_password_fits_its_own_hash_alone() -> None:
    async with PasswordHasher.opened(CHEAP, threads=1, waiting_max=0) as hasher:
        stored = await hasher.hash("nine lives")
        assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")
        assert await hasher.check("nine lives", stored) == Verdict(fits=True)
        assert await hasher.check("nine live", stored) == Verdict(fits=False)
        assert await hasher.hash("nine lives") != stored


async def test_nothing_fits_nobody() -> None:
    async with PasswordHasher.opened(CHEAP, threads=1, waiting_max=0) as hasher:
        for guess in ("nine lives", "the password of nobody", ""):
            assert await hasher.check(guess, None) == Verdict(fits=False)


async def test_a_hash_of_another_cost_is_replaced_once_its_password_is_known() -> None:
    async with PasswordHasher.opened(CHEAP, threads=1, waiting_max=0) as hasher:
        stored = await hasher.hash("nine lives")
    async with PasswordHasher.opened(DEARER, threads=1, waiting_max=0) as hasher:
        verdict = await hasher.check("nine lives", stored)
        assert verdict.fits
        assert verdict.new_hash is not None
        assert await hasher.check("nine lives", verdict.new_hash) == Verdict(fits=True)
        assert await hasher.check("wrong", stored) == Verdict(fits=False)


async def test_the_event_loop_goes_on_while_a_password_is_hashed() -> None:
    async with PasswordHasher.opened(SLOW, threads=1, waiting_max=0) as hasher:
        hashing = asyncio.create_task(hasher.hash("nine lives"))
        turns = 0
        while not hashing.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 5, "the loop stood still"


async def test_too_many_at_a_time_are_sent_away_and_the_place_is_free_again_later() -> None:
    async with PasswordHasher.opened(SLOW, threads=1, waiting_max=1) as hasher:
        first, second = (asyncio.create_task(hasher.hash("nine lives")) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(Failure) as refusal:
            await hasher.hash("one too many")
        assert refusal.value.reason is Reason.UNAVAILABLE
        assert refusal.value.retry_after is not None
        await asyncio.gather(first, second)
        assert await hasher.hash("nine lives")


async def test_callers_who_give_up_do_not_keep_their_places() -> None:
    async with PasswordHasher.opened(CHEAP, threads=1, waiting_max=0) as hasher:
        for _ in range(20):
            hashing = asyncio.create_task(hasher.hash("nine lives"))
            await asyncio.sleep(0)
            hashing.cancel()
            await asyncio.wait({hashing})
            # Its thread may still be busy, but not for ever.
            await eventually(lambda: has_a_place(hasher))


async def has_a_place(hasher: PasswordHasher) -> bool:
    try:
        return bool(await hasher.hash("nine lives"))
    except Failure:
        return False


async def test_an_unknown_user_costs_as_much_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verify = argon2.PasswordHasher.verify
    costs: list[argon2.Parameters] = []

    def verify_and_note(self: argon2.PasswordHasher, stored: str, password: str) -> bool:
        costs.append(argon2.extract_parameters(stored))
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verify_and_note)
    async with PasswordHasher.opened(DEARER, threads=1, waiting_max=0) as hasher:
        for target in (await hasher.hash("nine lives"), None):
            assert await hasher.check("wrong", target) == Verdict(fits=False)

    wrong, unknown = costs
    assert unknown == wrong
    assert (wrong.memory_cost, wrong.time_cost) == (DEARER.memory_kib, DEARER.iterations)

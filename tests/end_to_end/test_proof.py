"""What the platform settled is taken home, and verified there without it."""

import asyncio
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pyotp
import pytest

from tests.end_to_end.traders import PASSWORD, Trader
from tests.platform import Platform
from tests.waiting import PATIENCE_SECONDS
from veritick import Veritick, VeritickError
from veritick.identity.v1.auth_service_pb2 import (
    ConfirmTotpRequest,
    ConfirmTotpResponse,
    EnrolTotpRequest,
    EnrolTotpResponse,
)
from veritick.proof.verify import Untrue, verify
from veritick.settlement.v1.receipt_service_pb2 import (
    Checkpoint,
    GetCheckpointRequest,
    GetCheckpointResponse,
)
from veritick.trading.v1.order_pb2 import Order

pytestmark = [pytest.mark.platform, pytest.mark.timeout(240)]


def command(*arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the console command as a person would, or one who pipes in what he would type."""
    return subprocess.run(
        [sys.executable, "-m", "veritick", *arguments],
        capture_output=True,
        check=False,
        input=typed,
        start_new_session=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


async def covering(veritick: Veritick, sequence: int) -> Checkpoint:
    """Wait for the signed head that covers a receipt."""
    request = GetCheckpointRequest(book="demo", sequence=sequence)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return (await veritick.call(request, GetCheckpointResponse)).checkpoint
            except VeritickError as error:
                if error.reason != "CHECKPOINT_NOT_FOUND":
                    raise
            await asyncio.sleep(0.5)


async def test_two_trades_are_exported_and_verified_and_a_lie_is_found(
    platform: Platform, trader: Trader, tmp_path: Path
) -> None:
    orders = await asyncio.gather(trader.buy(), trader.buy(stake=777))
    closed = await asyncio.gather(*(trader.settled(order) for order in orders))
    receipts = [await trader.veritick.receipt(order) for order in closed]
    head = await covering(trader.veritick, max(receipt.sequence for receipt in receipts))
    path = tmp_path / "demo.jsonl"

    written = await asyncio.to_thread(command, "export", "--url", platform.url, str(path))

    assert written.returncode == 0, written.stderr
    assert " receipts\n" in written.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["demo.jsonl"]
    lines = path.read_text().splitlines()
    mine = {order.order_id for order in closed}
    found = {
        number: json.loads(line)["receipt"]["orderId"]
        for number, line in enumerate(lines[1:-1], start=2)
    }
    assert mine <= set(found.values())

    verified = command("verify", str(path), "--key", head.key_id)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert f"receipts 1 to {len(found)} of the book demo" in verified.stdout

    number = next(number for number, order in found.items() if order == closed[0].order_id)
    tampered = json.loads(lines[number - 1])
    lie = "LOSS" if closed[0].outcome != Order.LOSS else "WIN"
    tampered["receipt"]["outcome"] = lie
    lines[number - 1] = json.dumps(tampered)
    path.write_text("".join(f"{line}\n" for line in lines))
    refused = command("verify", str(path))
    assert refused.returncode == 1
    assert f"line {number}: order {closed[0].order_id}: outcome" in refused.stderr
    assert f"found {lie}" in refused.stderr

    path.write_text("".join(f"{line}\n" for line in lines[: number - 1]))
    truncated = command("verify", str(path))
    assert truncated.returncode == 2
    assert f"line {number}: the end of the export is missing" in truncated.stderr


async def test_a_part_of_the_chain_reaches_from_a_receipt_to_a_signed_head(
    platform: Platform, trader: Trader, tmp_path: Path
) -> None:
    receipt = await trader.veritick.receipt(await trader.settled(await trader.buy()))
    head = await covering(trader.veritick, receipt.sequence)
    path, wanted = tmp_path / "part.jsonl", str(receipt.sequence)
    arguments = ("export", "--url", platform.url, "--from", wanted, "--to", wanted, str(path))

    written = await asyncio.to_thread(command, *arguments)

    assert written.returncode == 0, written.stderr
    verified = command("verify", str(path))
    assert verified.returncode == 0, verified.stderr
    assert f"receipts {wanted} to {head.sequence} of the book demo" in verified.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--book", "nowhere"), "CHECKPOINT_NOT_FOUND"),
        (("--from", str(2**40)), "CHECKPOINT_NOT_FOUND"),
        (("--book", "b" * 41), "INVALID_REQUEST"),
    ],
)
async def test_what_is_not_signed_is_not_exported(
    platform: Platform, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("as it was")

    refused = command("export", "--url", platform.url, *arguments, str(kept))

    assert refused.returncode == 1
    assert reason in refused.stderr
    assert kept.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [kept]


def on_the_machine(
    platform: Platform, *arguments: str, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `python -m services` as whoever holds the machine of a platform."""
    own = {"VERITICK_HOME": str(platform.home), "VERITICK_PORT": str(platform.ports.of("rest"))}
    return subprocess.run(
        [sys.executable, "-m", "services", *arguments],
        env={**os.environ, **own},
        input=typed,
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


async def member_of_staff(platform: Platform) -> tuple[str, str]:
    """Make an administrator with a second factor; return his address and a recovery code."""
    email = f"staff-{uuid4()}@example.com"
    made = await asyncio.to_thread(
        on_the_machine, platform, "--create-admin", email, typed=f"{PASSWORD}\n"
    )
    assert made.returncode == 0, made.stderr
    async with Veritick.connect(platform.url) as veritick:
        await veritick.log_in(email, PASSWORD)
        secret = (await veritick.call(EnrolTotpRequest(), EnrolTotpResponse)).secret
        confirm = ConfirmTotpRequest(code=pyotp.TOTP(secret).now())
        confirmed = await veritick.call(confirm, ConfirmTotpResponse)
    return email, confirmed.recovery_codes[0]


def tampered(lines: list[str], kind: str, field: str, value: object) -> tuple[int, list[str]]:
    """Return an export in which one field of the last line of a kind is another, and that line."""
    number = max(n for n, line in enumerate(lines) if kind in json.loads(line))
    changed = json.loads(lines[number])
    assert field in changed[kind]
    changed[kind][field] = value
    return number + 1, [*lines[:number], json.dumps(changed), *lines[number + 1 :]]


async def test_who_holds_the_machine_audits_its_books_while_they_are_traded_on(
    platform: Platform, trader: Trader
) -> None:
    await trader.buy()

    audited = await asyncio.to_thread(on_the_machine, platform, "--audit", "--full")

    # Of an order that opened this instant the record may not know yet: that is exit code 2.
    assert audited.returncode in {0, 2}, audited.stderr
    assert audited.stdout.startswith("demo: in order; ")
    assert " all entries up to " in audited.stdout
    assert "  I6" not in audited.stdout


async def test_staff_take_the_whole_ledger_home_and_every_lie_in_it_is_found(
    platform: Platform, trader: Trader, tmp_path: Path
) -> None:
    receipt = await trader.veritick.receipt(await trader.settled(await trader.buy()))
    await covering(trader.veritick, receipt.sequence)
    email, code = await member_of_staff(platform)
    path = tmp_path / "ledger.jsonl"
    arguments = ("export", "--url", platform.url, "--ledger", email, str(path))

    written = await asyncio.to_thread(command, *arguments, typed=f"{PASSWORD}\n{code}\n")

    assert written.returncode == 0, written.stderr
    assert " entries\n" in written.stderr
    verified = await asyncio.to_thread(command, "verify", str(path))
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "entries 1 to " in verified.stdout
    assert "on the way signed " in verified.stdout
    lines = path.read_text().splitlines()
    for kind, field, value in (
        ("receipt", "returned", {"minorUnits": "1", "currencyCode": "USD"}),
        ("entry", "amount", {"minorUnits": "1", "currencyCode": "USD"}),
        ("entry", "time", "2026-01-01T00:00:00Z"),
        ("seal", "hash", "0" * 64),
        ("head", "lastEntryId", "0"),
        ("end", "receipts", 0),
    ):
        number, lied = tampered(lines, kind, field, value)
        with pytest.raises(Untrue) as found:
            verify(BytesIO("".join(f"{line}\n" for line in lied).encode()))
        assert found.value.line == number or kind == "entry", found.value

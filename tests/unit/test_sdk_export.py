"""`veritick export`: a file is written whole or not at all, page by page up to a signed head."""

import asyncio
import errno
import json
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from google.protobuf.json_format import MessageToDict

from services.settlement.receipt import Link
from services.settlement.wire import checkpoint_message, receipt_message
from tests.ledger_proof import commits_of, head_at, items, sealed_of, signed_ledger
from tests.proof import CASES, KEY_ID, chained, items_of, signed
from tests.unit.sdk_edge import Edge, Reply, answer, client, refusal
from veritick import Veritick, VeritickError
from veritick import __main__ as command
from veritick.proof.export import export
from veritick.proof.verify import verify

BOOK = 450
PROOFS = chained(items_of([CASES[n % len(CASES)] for n in range(BOOK)]))


class Platform(Edge):
    """Shows a chain of receipts whose head was signed at some of them."""

    def __init__(self, *heads: int, left_out: int = 0) -> None:
        super().__init__(answer({}))
        self.heads = heads
        self.left_out = left_out
        self.pages: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        query = {
            name: int(values[0]) for name, values in parse_qs(request.url.query.decode()).items()
        }
        if request.url.path.endswith("/checkpoint"):
            return self._checkpoint(query.get("sequence", 0))(request)
        after, size = query.get("after", 0), query["pageSize"]
        self.pages.append(size)
        page = [
            MessageToDict(receipt_message("demo", *proof))
            for proof in PROOFS[after : after + size]
            if proof[0].sequence != self.left_out
        ]
        return answer({"receipts": page, "lastSequence": str(BOOK)})(request)

    def _checkpoint(self, sequence: int) -> Reply:
        heads = [head for head in self.heads if head >= sequence]
        if not heads:
            return refusal("CHECKPOINT_NOT_FOUND", 404)
        at = heads[0] if sequence else heads[-1]
        head = Link(at, PROOFS[at - 1][0].hash)
        return answer(MessageToDict(checkpoint_message(signed(head))))


async def write(platform: Platform, path: Path, first: int = 1, last: int | None = None) -> None:
    async with client(platform) as veritick:
        await export(veritick, "https://veritick.test", "demo", path, first=first, last=last)


@pytest.mark.parametrize(
    ("first", "last", "reaches"),
    [(1, None, 450), (1, 1, 200), (200, 200, 200), (201, 230, 450), (450, None, 450), (30, 7, 200)],
)
async def test_it_reaches_to_the_head_that_covers_what_was_asked_for(
    tmp_path: Path, first: int, last: int | None, reaches: int
) -> None:
    path = tmp_path / "demo.jsonl"
    await write(Platform(200, 450), path, first, last)
    with path.open("rb") as file:
        seen = verify(file, KEY_ID)
    assert (seen.first, seen.last) == (first, reaches)


async def test_it_asks_for_pages_and_tells_how_far_it_is(tmp_path: Path) -> None:
    platform, told = Platform(450), list[tuple[str, int, int]]()
    async with client(platform) as veritick:
        await export(
            veritick,
            "https://veritick.test",
            "demo",
            tmp_path / "demo.jsonl",
            first=11,
            progress=lambda *progress: told.append(progress),
        )
    assert platform.pages == [200, 200, 40]
    assert told == [("receipts", done, 440) for done in range(1, 441)]


@pytest.mark.parametrize(
    ("platform", "first", "last", "reason"),
    [
        (Platform(), 1, None, "CHECKPOINT_NOT_FOUND"),
        (Platform(200), 201, None, "CHECKPOINT_NOT_FOUND"),
        (Platform(200), 1, 201, "CHECKPOINT_NOT_FOUND"),
        (Platform(450, left_out=300), 1, None, "INTERNAL"),
        (Platform(450, left_out=450), 1, None, "INTERNAL"),
    ],
)
async def test_what_cannot_be_complete_is_not_written(
    tmp_path: Path, platform: Platform, first: int, last: int | None, reason: str
) -> None:
    path = tmp_path / "demo.jsonl"
    path.write_text("as it was")
    with pytest.raises(VeritickError) as refused:
        await write(platform, path, first, last)
    assert refused.value.reason == reason
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["as it was"]


async def test_an_export_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "demo.jsonl"
    async with client(Platform(450)) as veritick:
        task: asyncio.Task[object]

        def stop(what: str, done: int, total: int) -> None:
            if done == 250:
                task.cancel()

        task = asyncio.create_task(
            export(veritick, "https://veritick.test", "demo", path, progress=stop)
        )
        with pytest.raises(asyncio.CancelledError):
            await task
    assert list(tmp_path.iterdir()) == []


async def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none"):
        await write(Platform(200), tmp_path / "none" / "demo.jsonl")


class Interrupted(Platform):
    """Sends this process a signal when the second page is asked for."""

    def __init__(self, signal_number: signal.Signals) -> None:
        super().__init__(450)
        self.signal_number = signal_number

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.pages:
            signal.raise_signal(self.signal_number)
        return await super().handle_async_request(request)


@pytest.fixture
def in_the_foreground() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, these tests too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_interrupted_says_so_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    signal_number: signal.Signals,
) -> None:
    platform, path = Interrupted(signal_number), tmp_path / "demo.jsonl"
    handler = signal.getsignal(signal_number)
    monkeypatch.setattr(Veritick, "connect", lambda url: client(platform))
    assert command.main(["export", str(path)]) == 130
    assert capsys.readouterr().err.endswith(f"{path}: interrupted\n")
    assert platform.pages == [200]
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal_number) == handler


def test_a_disk_that_is_full_is_said_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "demo.jsonl"
    path.write_text("as it was")
    monkeypatch.setattr(Veritick, "connect", lambda url: client(Platform(450)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        code = command.main(["export", str(path)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 1
    assert f"{path} was not written: [Errno {errno.EFBIG}]" in capsys.readouterr().err
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["as it was"]


class Audited(Edge):
    """Shows a book with its ledger, three seals at a time."""

    def __init__(self, left_out: int = 0) -> None:
        super().__init__(answer({}))
        self.orders = items()
        self.sealed, self.head = sealed_of(commits_of(self.orders))
        self.left_out = left_out

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        query = parse_qs(request.url.query.decode())
        after = int(query.get("after", ["0"])[0])
        proofs = chained(self.orders)
        what = request.url.path.rpartition("/")[2]
        if what == "ledgerHead":
            return answer(MessageToDict(signed_ledger(self.head)))(request)
        if what == "ledgerHeads":
            signed_then = [head_at(self.sealed[number]) for number in (2, 5)]
            heads = [MessageToDict(head) for head in signed_then if head.seal_id > after]
            return answer({"heads": heads[:1]})(request)
        if what == "seals":
            page = [item for item in self.sealed if item.seal.seal_id != self.left_out]
            shown = [MessageToDict(item) for item in page if item.seal.seal_id > after][:3]
            return answer({"seals": shown})(request)
        if what == "checkpoint":
            last = proofs[-1][0]
            head = Link(last.sequence, last.hash)
            return answer(MessageToDict(checkpoint_message(signed(head))))(request)
        shown = [MessageToDict(receipt_message("demo", *proof)) for proof in proofs[after:]]
        return answer({"receipts": shown})(request)


async def test_a_ledger_is_written_behind_the_receipts_page_by_page(tmp_path: Path) -> None:
    path, told = tmp_path / "demo.jsonl", list[tuple[str, int, int]]()
    async with client(Audited()) as veritick:
        await export(
            veritick,
            "https://veritick.test",
            "demo",
            path,
            ledger=True,
            progress=lambda *progress: told.append(progress),
        )
    with path.open("rb") as file:
        seen = verify(file, KEY_ID, KEY_ID)
    assert seen.receipts == 5
    assert seen.ledger is not None
    assert seen.ledger.open_orders == 1
    assert seen.heads == {KEY_ID: 2}
    assert told[-1] == ("entries", seen.ledger.entries, seen.ledger.entries)


class Guarded(Edge):
    """Signs somebody in who has a second factor, and shows nothing to anybody."""

    def __init__(self) -> None:
        super().__init__(answer({}))
        self.asked: list[dict[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        if request.url.path != "/v1/sessions":
            return refusal("PERMISSION_DENIED", 403)(request)
        given = json.loads(request.content)
        self.asked.append(given)
        if not given.get("code"):
            return refusal("SECOND_FACTOR_REQUIRED", 401)(request)
        if given["code"] != "123456":
            return refusal("CODE_INVALID", 401)(request)
        return answer({"accessToken": "a", "expireTime": "2099-01-01T00:00:00Z"})(request)


@pytest.mark.parametrize(
    ("code", "why"), [("123456", "PERMISSION_DENIED"), ("000000", "CODE_INVALID")]
)
def test_staff_are_asked_for_the_code_of_their_second_factor(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: str,
    why: str,
) -> None:
    platform, prompts = Guarded(), list[str]()

    def typed(prompt: str = "Password: ") -> str:
        prompts.append(prompt)
        return code if "factor" in prompt else "a long passphrase"

    monkeypatch.delenv("VERITICK_PASSWORD", raising=False)
    monkeypatch.setattr(command, "getpass", typed)
    monkeypatch.setattr(Veritick, "connect", lambda url: client(platform))
    arguments = ["export", "--ledger", "staff@example.org", str(tmp_path / "demo.jsonl")]
    assert command.main(arguments) == 1
    assert why in capsys.readouterr().err
    assert prompts == ["Password: ", "Code of the second factor, or a recovery code: "]
    assert [(given["password"], given.get("code")) for given in platform.asked] == [
        ("a long passphrase", None),
        ("a long passphrase", code),
    ]
    assert list(tmp_path.iterdir()) == []


async def test_a_ledger_with_a_gap_is_not_written(tmp_path: Path) -> None:
    async with client(Audited(left_out=4)) as veritick:
        with pytest.raises(VeritickError, match="did not show the seals after 3"):
            await export(veritick, "here", "demo", tmp_path / "demo.jsonl", ledger=True)
    assert list(tmp_path.iterdir()) == []

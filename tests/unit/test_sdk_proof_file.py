"""Exports as files: what is cut off, out of place or not signed is named by its line."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.settlement.receipt import Link
from services.settlement.wire import checkpoint_message
from tests.proof import (
    CASES,
    KEY_ID,
    Lines,
    altered,
    chained,
    changed,
    exported,
    file_of,
    items_of,
    leaves,
    signed,
    unreadable,
    untrue,
)
from veritick.__main__ import main
from veritick.proof.file import Unreadable, Writer
from veritick.proof.known import Known
from veritick.proof.verify import verify

HONEST = exported()
PRICE = ("receipt", "entryTick", "price", "mantissa")

# ---- lines --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order_of_lines", "line", "what"),
    [
        ((1, 3, 4, 5, 6, 7), 2, "sequence"),  # the first is missing
        ((1, 2, 4, 5, 6, 7), 3, "sequence"),
        ((1, 2, 3, 4, 5, 7), 6, "receipts"),  # the last is missing
        ((1, 7), 2, "receipts"),
        ((1, 3, 2, 4, 5, 6, 7), 2, "sequence"),
        ((1, 2, 3, 3, 4, 5, 6, 7), 4, "sequence"),
        ((1, 2, 3, 4, 5, 6, 6, 7), 7, "sequence"),
    ],
    ids=[
        "first missing",
        "missing",
        "last missing",
        "all missing",
        "reordered",
        "twice",
        "last twice",
    ],
)
def test_lines_that_are_not_where_they_belong(
    order_of_lines: tuple[int, ...], line: int, what: str
) -> None:
    found = untrue([HONEST[number - 1] for number in order_of_lines])
    assert (found.line, found.difference.what) == (line, what)


NAN = b'{"receipt":{"sequence":NaN}}\n'
TWICE = b'{"receipt":{"outcome":"WIN","outcome":"LOSS"}}\n'


@pytest.mark.parametrize(
    ("lines", "line", "why"),
    [
        ([], 1, "empty"),
        (HONEST[:-1], 7, "cut off"),
        (HONEST[:1], 2, "cut off"),
        ([*HONEST[:3], b'{"receipt":{"orderId":"demo_0'], 4, "cut off"),
        ([*HONEST[:3], b"garbage\n", *HONEST[4:]], 4, "is not JSON"),
        ([*HONEST[:3], b"\xff\xfe\n", *HONEST[4:]], 4, "is not JSON"),
        ([*HONEST[:3], b"\n", *HONEST[3:]], 4, "is not JSON"),
        ([*HONEST[:3], b"[" * 100_000 + b"\n"], 4, "is not JSON"),
        ([*HONEST[:3], TWICE], 4, "stands twice"),
        ([*HONEST[:3], NAN], 4, "is no receipt"),
        (altered(HONEST, 4, ("receipt", "outcome"), lambda _: "\ud800"), 4, "is not JSON"),
        (altered(HONEST, 1, ("export", "book"), lambda _: "\ud800"), 1, "is not JSON"),
        ([b"\xef\xbb\xbf{}\n", *HONEST[1:]], 1, "is not JSON"),
        ([*HONEST[:3], b" " * 1_100_000], 4, "longer than"),
        ([*HONEST[:3], {"receipt": {"unknown": 1}}], 4, "is no receipt"),
        ([*HONEST[:3], {"receipt": 7}], 4, "is no line"),
        ([*HONEST[:3], {"receipt": {}, "more": 1}], 4, "is no line"),
        ([*HONEST[:3], {"tick": {}}], 4, "is no line"),
        ([*HONEST[:3], [1]], 4, "is no line"),
        ([*HONEST[:3], HONEST[0]], 4, "second header"),
        ([*HONEST, HONEST[2]], 8, "after the end"),
        (HONEST[1:], 1, "not the header"),
        ([{"export": {"version": 2}}, *HONEST[1:]], 1, "version 2"),
        ([{"export": {"version": "1"}}, *HONEST[1:]], 1, "version '1'"),
        ([{"export": {"version": 1}}, *HONEST[1:]], 1, "not complete"),
        ([*HONEST[:-1], {"end": {"receipts": 5}}], 7, "is no line"),
        ([*HONEST[:-1], {"end": {"receipts": 5, "checkpoint": {"hash": 1}}}], 7, "no checkpoint"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(lines: Lines, line: int, why: str) -> None:
    found = unreadable(lines)
    assert found.line == line
    assert why in found.why


def test_of_two_differences_the_first_is_named() -> None:
    twice = altered(altered(HONEST, 5, ("receipt", "outcome"), changed), 3, PRICE, changed)
    assert untrue(twice).line == 3


def test_line_ends_of_another_system_change_nothing() -> None:
    lines = file_of(HONEST).getvalue().replace(b"\n", b"\r\n")
    assert verify(io.BytesIO(lines), KEY_ID).receipts == 5


def test_an_export_without_receipts_proves_nothing_and_is_not_right() -> None:
    bare = altered([HONEST[0], HONEST[-1]], 2, ("end", "receipts"), lambda _: 0)
    assert untrue(bare).difference.what == "checkpoint.sequence"


@pytest.mark.parametrize("cut", range(1, 2_000, 97))
def test_a_file_that_was_cut_anywhere_cannot_be_read(cut: int) -> None:
    whole = file_of(HONEST).getvalue()
    with pytest.raises(Unreadable, match=r"cut off|end of the export"):
        verify(io.BytesIO(whole[:-cut]))


# ---- the signature ------------------------------------------------------------------------------

CHECKPOINT = [path for path in leaves(HONEST[-1]) if path[-1] not in {"publicKey", "signature"}]


@pytest.mark.parametrize("path", CHECKPOINT, ids=".".join)
def test_a_change_of_the_end_is_found(path: tuple[Any, ...]) -> None:
    assert untrue(altered(HONEST, 7, path, changed)).line == 7


@pytest.mark.parametrize("field", ["publicKey", "signature"])
@pytest.mark.parametrize("change", [lambda text: "A" * 8 + text[8:], lambda _: ""])
def test_a_key_or_signature_that_does_not_fit_is_found(
    field: str, change: Callable[[Any], Any]
) -> None:
    found = untrue(altered(HONEST, 7, ("end", "checkpoint", field), change))
    assert found.difference.what in {"checkpoint.keyId", "checkpoint.signature"}


def test_another_key_is_found_by_whoever_names_the_right_one() -> None:
    head = chained(items_of())[-1][0]
    thief = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    file = io.BytesIO()
    Writer(file).end(checkpoint_message(signed(Link(5, head.hash), thief)))
    lines = [*HONEST[:-1], file.getvalue().replace(b'"receipts":0', b'"receipts":5')]
    assert verify(file_of(lines)).key_id != KEY_ID
    assert untrue(lines, key_id=KEY_ID).difference.what == "checkpoint.keyId"


# ---- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "arguments", "code", "said"),
    [
        (HONEST, (), 0, "all is right"),
        (HONEST, ("--key", KEY_ID), 0, "as asked"),
        (exported(first=3), (), 0, "what comes before receipt 3 is not in this file"),
        (HONEST, ("--key", "0" * 64), 1, f"line 7: checkpoint.keyId: expected the key {'0' * 64}"),
        (HONEST[:-1], (), 2, "line 7: the end of the export is missing"),
        (
            altered(HONEST, 3, ("receipt", "outcome"), changed),
            (),
            1,
            f"line 3: order {HONEST[2]['receipt']['orderId']}: outcome: expected LOSS, found WIN",
        ),
    ],
)
def test_the_command_says_what_it_found(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lines: Lines,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    path = tmp_path / "demo.jsonl"
    path.write_bytes(file_of(lines).getvalue())
    assert main(["verify", str(path), *arguments]) == code
    out, err = capsys.readouterr()
    assert said in (err if code else out)
    assert not (out if code else err)


def test_what_a_file_says_can_not_pose_as_what_the_command_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "demo.jsonl"
    pose = "\x1b[2K\rdemo.jsonl: all is right\n" + "x" * 10_000
    lines = altered(HONEST, 3, ("receipt", "instrument"), lambda _: pose)
    path.write_bytes(file_of(lines).getvalue())
    assert main(["verify", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert len(said) < 3_000
    assert "\\x1b[2K\\r" in said


def test_a_disk_without_room_for_what_is_remembered_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Small(Known):
        def __init__(self) -> None:
            super().__init__()
            self._do("PRAGMA max_page_count = 3")

    monkeypatch.setattr("veritick.proof.verify.Known", Small)
    path = tmp_path / "demo.jsonl"
    many = [CASES[n % len(CASES)] for n in range(60)]
    path.write_bytes(file_of(exported(items_of(many))).getvalue())
    assert main(["verify", str(path)]) == 2
    assert "cannot be remembered: database or disk is full" in capsys.readouterr().err


ALONE = """
import sys

def hook(event, arguments):
    assert not event.startswith("socket."), (event, arguments)

sys.addaudithook(hook)
from veritick.__main__ import main
code = main(["verify", sys.argv[1]])
strangers = {name.partition(".")[0] for name in sys.modules} & {"services", "edge", "grpc"}
assert not strangers, strangers
sys.exit(code)
"""


def test_nothing_is_asked_and_nothing_of_the_platform_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "demo.jsonl"
    path.write_bytes(file_of(HONEST).getvalue())
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(path)],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "all is right" in done.stdout


def test_a_file_that_is_not_there_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err

"""What people get of what is kept about them: the archive, and the record as they may see it."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from services.identity.archive import PIECE_BYTES, Piece, archived
from services.identity.disclosure import disclosed
from services.identity.trail import Record
from services.kit.clock import utc

NOON = utc(2026, 11, 26, 12)
ANA, BEN = "user:ana", "user:ben"
RECORD = Record(
    journal="identity",
    position=1,
    time=NOON,
    actor=ANA,
    action="user.roles",
    subject=ANA,
    outcome="DONE",
    reason="asked for it",
    count=1,
    before="{}",
    after='{"roles": []}',
    network="192.0.2.0/24",
    session_id="s",
    request_id="r",
)


async def in_order(pieces: Sequence[Piece]) -> AsyncIterator[Piece]:
    for piece in pieces:
        yield piece


async def test_an_archive_holds_each_file_and_says_what_it_is() -> None:
    pieces = [Piece("a.csv", "Orders.", b"one,"), Piece("a.csv", "Orders.", b"two")]
    pieces.append(Piece("documents/b.pdf", "A document.", b"%PDF"))
    whole = b"".join([data async for data in archived(in_order(pieces), "Yours.\n", NOON)])
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.csv", "documents/b.pdf", "README.txt"]
        assert archive.read("a.csv") == b"one,two"
        readme = archive.read("README.txt").decode()
        times = {info.date_time for info in archive.infolist()}
    assert readme.startswith("Yours.\n")
    assert "documents/b.pdf\n    A document.\n" in readme
    assert times == {(2026, 11, 26, 12, 0, 0)}


async def test_an_archive_leaves_as_it_is_made() -> None:
    pieces = [Piece("a.pdf", "", os.urandom(PIECE_BYTES)) for _ in range(20)]
    sizes = [len(data) async for data in archived(in_order(pieces), "", NOON)]
    assert len(sizes) == len(pieces) + 1
    assert max(sizes) < 2 * PIECE_BYTES


async def test_an_archive_whose_source_fails_never_looks_whole() -> None:
    async def broken() -> AsyncIterator[Piece]:
        yield Piece("a.pdf", "", os.urandom(PIECE_BYTES))
        raise OSError("the store is away")

    sent = bytearray()
    with pytest.raises(OSError, match="the store is away"):
        async for data in archived(broken(), "", NOON):
            sent += data
    assert sent
    assert not zipfile.is_zipfile(io.BytesIO(sent))


def test_one_sees_in_full_what_one_did_to_oneself() -> None:
    shown = disclosed(RECORD, ANA)
    assert shown
    assert (shown["after"], shown["network"], shown["reason"]) == (
        RECORD.after,
        RECORD.network,
        RECORD.reason,
    )


@pytest.mark.parametrize(
    ("record", "hidden"),
    [
        (replace(RECORD, actor=BEN), {"by", "network", "session_id", "reason", "before", "after"}),
        (replace(RECORD, subject=BEN), {"subject", "reason", "before", "after"}),
    ],
    ids=["done to one by others", "done by one to others"],
)
def test_others_are_left_out_of_it(record: Record, hidden: set[str]) -> None:
    shown = disclosed(record, ANA)
    assert shown
    assert shown["action"] == "user.roles"
    assert hidden.isdisjoint(shown)
    assert BEN not in str(shown)


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, actor="rule:devices", action="fraud.flag"),
        replace(RECORD, actor=BEN, action="note.write"),
        replace(RECORD, actor=BEN, subject=BEN),
    ],
    ids=["a flag", "a note", "of others"],
)
def test_what_would_undo_the_defence_is_kept_back(record: Record) -> None:
    assert disclosed(record, ANA) is None

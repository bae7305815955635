"""Exporting the receipts of a book, as far as their chain is signed, and its ledger."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from veritick.client import Veritick
from veritick.errors import VeritickError
from veritick.proof.canonical import time_text
from veritick.proof.file import Header, Writer, whole_or_nothing
from veritick.settlement.v1.receipt_service_pb2 import (
    Checkpoint,
    GetCheckpointRequest,
    GetCheckpointResponse,
    ListReceiptsRequest,
    ListReceiptsResponse,
    Receipt,
)
from veritick.trading.v1.audit_service_pb2 import (
    GetLedgerHeadRequest,
    GetLedgerHeadResponse,
    LedgerHead,
    ListLedgerHeadsRequest,
    ListLedgerHeadsResponse,
    ListSealsRequest,
    ListSealsResponse,
    SealedEntries,
)

_PAGE_SIZE = 200

Progress = Callable[[str, int, int], None]
"""Hears how many `receipts` or `entries` were written, and of how many."""


async def export(
    veritick: Veritick,
    platform: str,
    book: str,
    path: Path,
    *,
    first: int = 1,
    last: int | None = None,
    ledger: bool = False,
    progress: Progress | None = None,
) -> Checkpoint:
    """Write the receipts of a book from sequence `first` on, and return the signed head they reach.

    They end at the first signed head that covers `last`, without which at the newest one: up to a
    minute's receipts that are younger are not signed yet. With `ledger` all entries of the book up
    to now follow, which only whoever may audit it is shown. `path` is replaced when the export is
    complete, and left alone otherwise. `platform` is where it comes from, for people to read.
    Raises VeritickError (CHECKPOINT_NOT_FOUND when nothing is signed so far) and OSError.
    """
    checkpoint = await _checkpoint(veritick, book, first, last)
    now = veritick.clock.now().isoformat(timespec="seconds")
    with whole_or_nothing(path) as file:
        writer = Writer(file)
        writer.begin(Header(book, platform, now, first))
        async with aclosing(receipts(veritick, book, first, checkpoint.sequence)) as found:
            async for receipt in found:
                writer.receipt(receipt)
                if progress:
                    done, total = (n - first + 1 for n in (receipt.sequence, checkpoint.sequence))
                    progress("receipts", done, total)
        head = await _write_ledger(veritick, book, writer, progress) if ledger else None
        writer.end(checkpoint, head)
    return checkpoint


async def _write_ledger(
    veritick: Veritick, book: str, writer: Writer, progress: Progress | None
) -> LedgerHead:
    """Write the ledger as it is now; the receipts before it are of orders that it has closed."""
    request = GetLedgerHeadRequest(book=book)
    end = (await veritick.call(request, GetLedgerHeadResponse)).head
    async with (
        aclosing(seals(veritick, book, end.seal_id)) as found,
        aclosing(heads(veritick, book)) as signed,
    ):
        head = await anext(signed, None)
        async for sealed in found:
            writer.sealed(sealed)
            if head is not None and head.seal_id == sealed.seal.seal_id:
                writer.head(head)
                head = await anext(signed, None)
            if progress:
                progress("entries", sealed.seal.last_entry_id, end.last_entry_id)
    return end


async def heads(veritick: Veritick, book: str) -> AsyncGenerator[LedgerHead, None]:
    """Yield the heads of a book's ledger as they were signed minute by minute, oldest first."""
    request = ListLedgerHeadsRequest(book=book, page_size=_PAGE_SIZE)
    while page := (await veritick.call(request, ListLedgerHeadsResponse)).heads:
        for head in page:
            yield head
        request.after = page[-1].seal_id


async def seals(veritick: Veritick, book: str, last: int) -> AsyncGenerator[SealedEntries, None]:
    """Yield the seals of a book with their entries, from the first to `last`, a page at a time."""
    seen = 0
    while seen < last:
        request = ListSealsRequest(book=book, after=seen, page_size=min(_PAGE_SIZE, last - seen))
        page = (await veritick.call(request, ListSealsResponse)).seals
        numbers = [sealed.seal.seal_id for sealed in page]
        if not page or numbers != list(range(seen + 1, seen + len(page) + 1)):
            text = f"The platform did not show the seals after {seen}."
            raise VeritickError("INTERNAL", text)
        for sealed in page:
            yield sealed
        seen += len(page)


async def receipts(
    veritick: Veritick, book: str, first: int, last: int
) -> AsyncGenerator[Receipt, None]:
    """Yield the receipts of a book by sequence, both ends included, a page at a time."""
    wanted = first
    while wanted <= last:
        size = min(_PAGE_SIZE, last - wanted + 1)
        request = ListReceiptsRequest(book=book, after=wanted - 1, page_size=size)
        page = (await veritick.call(request, ListReceiptsResponse)).receipts
        if [receipt.sequence for receipt in page] != list(range(wanted, wanted + size)):
            text = f"The platform did not show the receipts {wanted} to {wanted + size - 1}."
            raise VeritickError("INTERNAL", text)
        for receipt in page:
            yield receipt
        wanted += size


async def _checkpoint(veritick: Veritick, book: str, first: int, last: int | None) -> Checkpoint:
    request = GetCheckpointRequest(book=book, sequence=max(first, last) if last else 0)
    checkpoint = (await veritick.call(request, GetCheckpointResponse)).checkpoint
    if checkpoint.sequence < first:
        text = f"The newest signed receipt of the book is {checkpoint.sequence}."
        raise VeritickError("CHECKPOINT_NOT_FOUND", text)
    return checkpoint


def describe(checkpoint: Checkpoint) -> str:
    """Return a signed head in words."""
    when = time_text(checkpoint.sign_time)
    return f"signed up to receipt {checkpoint.sequence} at {when} by key {checkpoint.key_id}"

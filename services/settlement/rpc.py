"""The gRPC face of settlement: ReceiptService."""

from typing import Any

from services.kit.errors import Failure
from services.kit.ids import parse_scoped
from services.kit.reason import Reason
from services.settlement.checkpoints import Checkpoints
from services.settlement.fixing import Fixing, Point
from services.settlement.neighbours import Quotes
from services.settlement.receipts import Proof, Receipts
from services.settlement.verification import Chained, verify
from services.settlement.wire import checkpoint_message, receipt_message, verification_message
from veritick.settlement.v1 import receipt_service_pb2 as receipt_pb
from veritick.settlement.v1.receipt_service_pb2_grpc import ReceiptServiceServicer

_PAGE_SIZE = 100


class ReceiptFace(ReceiptServiceServicer):
    """Shows receipts, and the signed heads of their chains, to whoever asks."""

    def __init__(self, receipts: Receipts, checkpoints: Checkpoints, quotes: Quotes) -> None:
        """Show these; quotes knows what prices were fixed."""
        self._receipts = receipts
        self._checkpoints = checkpoints
        self._quotes = quotes

    async def GetReceipt(
        self, request: receipt_pb.GetReceiptRequest, context: Any
    ) -> receipt_pb.GetReceiptResponse:
        """Answer the receipt of a closed order."""
        book, found = await self._found(request.order_id)
        return receipt_pb.GetReceiptResponse(receipt=receipt_message(book, *found))

    async def VerifyReceipt(
        self, request: receipt_pb.VerifyReceiptRequest, context: Any
    ) -> receipt_pb.VerifyReceiptResponse:
        """Derive a receipt again."""
        book, (receipt, fixing) = await self._found(request.order_id)
        chained = await self._chained(book, receipt.sequence)
        closed = receipt.closed
        record = await self._record(Point(closed.instrument, closed.expires_at))
        checks = list(verify(book, receipt, fixing, chained, record))
        return verification_message(checks, chained.checkpoint)

    async def _found(self, order_id: str) -> tuple[str, Proof]:
        scope = parse_scoped(order_id)
        found = await self._receipts.get(*scope) if scope else None
        if scope is None or found is None:
            raise Failure(Reason.RECEIPT_NOT_FOUND, "This order has no receipt.")
        return scope[0], found

    async def _chained(self, book: str, sequence: int) -> Chained:
        checkpoint = await self._checkpoints.covering(book, sequence)
        before = await self._receipts.hash_at(book, sequence - 1) if sequence > 1 else None
        if checkpoint is None:
            return Chained(before, None, None, None)
        broken_at = await self._receipts.broken_at(book, sequence, checkpoint.sequence)
        head = await self._receipts.hash_at(book, checkpoint.sequence)
        return Chained(before, checkpoint, broken_at, head)

    async def _record(self, point: Point) -> Fixing | None:
        """Return the fixing that quotes has stored; None when it cannot be asked."""
        try:
            return (await self._quotes.fixings([point])).get(point)
        except Failure:
            return None

    async def ListReceipts(
        self, request: receipt_pb.ListReceiptsRequest, context: Any
    ) -> receipt_pb.ListReceiptsResponse:
        """Answer a page of a book's chain."""
        size = request.page_size or _PAGE_SIZE
        proofs, last = await self._receipts.after(request.book, request.after, size)
        receipts = [receipt_message(request.book, *proof) for proof in proofs]
        return receipt_pb.ListReceiptsResponse(receipts=receipts, last_sequence=last)

    async def GetCheckpoint(
        self, request: receipt_pb.GetCheckpointRequest, context: Any
    ) -> receipt_pb.GetCheckpointResponse:
        """Answer a signed head of a book's chain."""
        found = await self._checkpoints.covering(request.book, request.sequence)
        if found is None:
            message = "No head that covers this has been signed yet."
            raise Failure(Reason.CHECKPOINT_NOT_FOUND, message, metadata={"book": request.book})
        return receipt_pb.GetCheckpointResponse(checkpoint=checkpoint_message(found))

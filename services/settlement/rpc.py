"""The gRPC face of settlement: ReceiptService."""

from typing import Any

from services.kit.errors import Failure
from services.kit.ids import parse_scoped
from services.kit.reason import Reason
from services.settlement.checkpoints import Checkpoints
from services.settlement.receipts import Receipts
from services.settlement.wire import checkpoint_message, receipt_message
from veritick.settlement.v1 import receipt_service_pb2 as receipt_pb
from veritick.settlement.v1.receipt_service_pb2_grpc import ReceiptServiceServicer

_PAGE_SIZE = 100


class ReceiptFace(ReceiptServiceServicer):
    """Shows receipts, and the signed heads of their chains, to whoever asks."""

    def __init__(self, receipts: Receipts, checkpoints: Checkpoints) -> None:
        """Show these."""
        self._receipts = receipts
        self._checkpoints = checkpoints

    async def GetReceipt(
        self, request: receipt_pb.GetReceiptRequest, context: Any
    ) -> receipt_pb.GetReceiptResponse:
        """Answer the receipt of a closed order."""
        scope = parse_scoped(request.order_id)
        found = await self._receipts.get(*scope) if scope else None
        if scope is None or found is None:
            raise Failure(Reason.RECEIPT_NOT_FOUND, "This order has no receipt.")
        return receipt_pb.GetReceiptResponse(receipt=receipt_message(scope[0], *found))

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

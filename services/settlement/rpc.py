"""The gRPC face of settlement: ReceiptService."""

from typing import Any

from services.kit.errors import Failure
from services.kit.ids import parse_scoped
from services.kit.reason import Reason
from services.settlement.receipts import Receipts
from services.settlement.wire import receipt_message
from veritick.settlement.v1 import receipt_service_pb2 as receipt_pb
from veritick.settlement.v1.receipt_service_pb2_grpc import ReceiptServiceServicer


class ReceiptFace(ReceiptServiceServicer):
    """Shows receipts to whoever asks."""

    def __init__(self, receipts: Receipts) -> None:
        """Show these receipts."""
        self._receipts = receipts

    async def GetReceipt(
        self, request: receipt_pb.GetReceiptRequest, context: Any
    ) -> receipt_pb.GetReceiptResponse:
        """Answer the receipt of a closed order."""
        scope = parse_scoped(request.order_id)
        found = await self._receipts.get(*scope) if scope else None
        if scope is None or found is None:
            raise Failure(Reason.RECEIPT_NOT_FOUND, "This order has no receipt.")
        return receipt_pb.GetReceiptResponse(receipt=receipt_message(scope[0], *found))

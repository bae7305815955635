"""Trading, as far as identity needs it."""

from typing import Protocol
from uuid import UUID

import grpc

from services.kit.channels import failure_of
from veritick.trading.v1.account_service_pb2 import OpenAccountsRequest
from veritick.trading.v1.account_service_pb2_grpc import AccountServiceStub


class Accounts(Protocol):
    """Where the accounts of users are."""

    async def open_for(self, user_id: UUID, *, real: bool) -> None:
        """Open the accounts that a user may hold, `real` ones among them or not.

        Failure when nobody answers in time.
        """


class TradingAccounts:
    """The accounts that trading keeps."""

    def __init__(self, channel: grpc.aio.Channel, deadline_seconds: float) -> None:
        """Call trading on this channel, and wait for it no longer than the deadline."""
        self._stub = AccountServiceStub(channel)
        self._deadline_seconds = deadline_seconds

    async def open_for(self, user_id: UUID, *, real: bool) -> None:
        """Open the accounts that a user may hold, `real` ones among them or not.

        Failure when nobody answers in time.
        """
        request = OpenAccountsRequest(user_id=str(user_id), real=real)
        try:
            await self._stub.OpenAccounts(request, timeout=self._deadline_seconds)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error) from error

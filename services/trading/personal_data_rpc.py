"""PersonalDataService: what the books keep about a person, and closing his accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from services.trading.closing import Obstacle
from services.trading.desk import Desk
from services.trading.personal_data import personal_data
from services.trading.rpc import Desks
from veritick.identity.v1.erasure_pb2 import ErasureObstacle
from veritick.trading.v1 import personal_data_service_pb2 as personal_pb
from veritick.trading.v1.personal_data_service_pb2_grpc import PersonalDataServiceServicer


class PersonalDataFace(PersonalDataServiceServicer):
    """Hands out what the books keep about a person, and closes his accounts."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def ExportPersonalData(
        self, request: personal_pb.ExportPersonalDataRequest, context: Any
    ) -> AsyncIterator[personal_pb.ExportPersonalDataResponse]:
        for desk in self._desks.values():
            async for piece in personal_data(desk, UUID(request.user_id)):
                yield personal_pb.ExportPersonalDataResponse(**piece._asdict())

    async def CloseAccounts(
        self, request: personal_pb.CloseAccountsRequest, context: Any
    ) -> personal_pb.CloseAccountsResponse:
        user_id = UUID(request.user_id)
        found = {item for desk in self._desks.values() for item in await desk.obstacles(user_id)}
        if not found and not request.validate_only:
            found = await self._close(user_id)
        return personal_pb.CloseAccountsResponse(
            obstacles=[ErasureObstacle.ValueType(item) for item in sorted(found)]
        )

    async def _close(self, user_id: UUID) -> set[Obstacle]:
        """Close the accounts in every book, or in none."""
        closed: list[Desk] = []
        for desk in self._desks.values():
            if found := await desk.close_accounts(user_id):
                for other in closed:
                    await other.close_accounts(user_id, closed=False)
                return set(found)
            closed.append(desk)
        return set()

"""PersonalDataService: what the books keep about a person, for identity."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from services.trading.personal_data import personal_data
from services.trading.rpc import Desks
from veritick.trading.v1 import personal_data_service_pb2 as personal_pb
from veritick.trading.v1.personal_data_service_pb2_grpc import PersonalDataServiceServicer


class PersonalDataFace(PersonalDataServiceServicer):
    """Hands out what the books keep about a person."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    async def ExportPersonalData(
        self, request: personal_pb.ExportPersonalDataRequest, context: Any
    ) -> AsyncIterator[personal_pb.ExportPersonalDataResponse]:
        for desk in self._desks.values():
            async for piece in personal_data(desk, UUID(request.user_id)):
                yield personal_pb.ExportPersonalDataResponse(**piece._asdict())

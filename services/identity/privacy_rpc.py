"""PrivacyService: what is kept about the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from services.identity.personal_data import PersonalData
from services.kit.clock import Clock
from services.kit.principal import caller
from veritick.identity.v1 import privacy_service_pb2 as privacy_pb
from veritick.identity.v1.privacy_service_pb2_grpc import PrivacyServiceServicer

_CONTENT_TYPE = "application/zip"


class PrivacyFace(PrivacyServiceServicer):
    """Hands users what is kept about them."""

    def __init__(self, personal_data: PersonalData, clock: Clock) -> None:
        self._personal_data = personal_data
        self._clock = clock

    async def ExportPersonalData(
        self, request: privacy_pb.ExportPersonalDataRequest, context: Any
    ) -> AsyncIterator[privacy_pb.ExportPersonalDataResponse]:
        """Answer an archive of everything about the caller."""
        name = f"veritick-personal-data-{self._clock.now().date()}.zip"
        async for data in self._personal_data.archive(caller().user_id):
            body = HttpBody(content_type=_CONTENT_TYPE, data=data)
            yield privacy_pb.ExportPersonalDataResponse(body=body, file_name=name)

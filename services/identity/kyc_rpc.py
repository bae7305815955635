"""The gRPC face of KYC: users hand documents in, reviewers look at them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from google.api.httpbody_pb2 import HttpBody

from services.identity.kyc import PART_BYTES_MAX, SUFFIXES, Kind, Rejection, State
from services.identity.reviewing import Reviewing
from services.identity.uploading import Uploading
from services.identity.wire import to_document
from services.kit.errors import Failure, Violation
from services.kit.pages import decode_page_token, encode_page_token, parse_filter
from services.kit.principal import caller
from services.kit.reason import Reason
from services.kit.wire import to_datetime
from veritick.identity.v1 import kyc_document_pb2 as kyc_pb
from veritick.identity.v1 import kyc_service_pb2 as service_pb
from veritick.identity.v1.kyc_service_pb2_grpc import KycServiceServicer

_PAGE = 50


class KycFace(KycServiceServicer):
    """Takes documents in and lets reviewers decide."""

    def __init__(self, uploading: Uploading, reviewing: Reviewing) -> None:
        self._uploading = uploading
        self._reviewing = reviewing

    async def CreateDocument(
        self, request: service_pb.CreateDocumentRequest, context: Any
    ) -> service_pb.CreateDocumentResponse:
        """Begin an upload."""
        kind = Kind(kyc_pb.KycDocument.Kind.Name(request.kind))
        document = await self._uploading.begin(caller().user_id, kind, request.size)
        return service_pb.CreateDocumentResponse(document=to_document(document))

    async def UploadDocumentPart(
        self, request: service_pb.UploadDocumentPartRequest, context: Any
    ) -> service_pb.UploadDocumentPartResponse:
        """Take a part of an upload."""
        part = request.content.data
        if not 0 < len(part) <= PART_BYTES_MAX:
            raise _wrong_length()
        document_id = UUID(request.document_id)
        document = await self._uploading.take(caller().user_id, document_id, request.offset, part)
        return service_pb.UploadDocumentPartResponse(document=to_document(document))

    async def CompleteDocument(
        self, request: service_pb.CompleteDocumentRequest, context: Any
    ) -> service_pb.CompleteDocumentResponse:
        """Open what was sent and keep it for review."""
        document = await self._uploading.complete(caller().user_id, UUID(request.document_id))
        return service_pb.CompleteDocumentResponse(document=to_document(document))

    async def GetDocument(
        self, request: service_pb.GetDocumentRequest, context: Any
    ) -> service_pb.GetDocumentResponse:
        """Answer one document of the caller."""
        document = await self._uploading.mine(caller().user_id, UUID(request.document_id))
        return service_pb.GetDocumentResponse(document=to_document(document))

    async def ListDocuments(
        self, request: service_pb.ListDocumentsRequest, context: Any
    ) -> service_pb.ListDocumentsResponse:
        """List the caller's documents, with the level they give."""
        level, found = await self._uploading.all_mine(caller().user_id)
        return service_pb.ListDocumentsResponse(
            level=kyc_pb.KycLevel.Value(level.value), documents=map(to_document, found)
        )

    async def ListDocumentsForReview(
        self, request: service_pb.ListDocumentsForReviewRequest, context: Any
    ) -> service_pb.ListDocumentsForReviewResponse:
        """List documents that wait for a reviewer."""
        wanted = parse_filter(request.filter, {"state", "userId"})
        state, user_id = wanted.get("state"), wanted.get("userId")
        if state is not None and state not in State.__members__:
            raise Failure(Reason.INVALID_FILTER, "There is no such state.")
        after = decode_page_token(request.page_token, UUID)[0] if request.page_token else None
        limit = request.page_size or _PAGE
        found = await self._reviewing.queue(
            State(state) if state else None, _user_id(user_id), after, limit
        )
        following = encode_page_token([str(found[-1].document_id)]) if len(found) == limit else ""
        return service_pb.ListDocumentsForReviewResponse(
            documents=map(to_document, found), next_page_token=following
        )

    async def ReadDocument(
        self, request: service_pb.ReadDocumentRequest, context: Any
    ) -> service_pb.ReadDocumentResponse:
        """Answer what is in a document, once it is on record who looks at it."""
        document, content = await self._reviewing.read(caller().user_id, UUID(request.document_id))
        suffix = SUFFIXES[document.media_type]
        return service_pb.ReadDocumentResponse(
            body=HttpBody(content_type=document.media_type, data=content),
            file_name=f"{document.document_id}.{suffix}",
        )

    async def ApproveDocument(
        self, request: service_pb.ApproveDocumentRequest, context: Any
    ) -> service_pb.ApproveDocumentResponse:
        """Approve a document."""
        expires = to_datetime(request.expire_time) if request.HasField("expire_time") else None
        document = await self._reviewing.approve(
            caller().user_id, UUID(request.document_id), expires
        )
        return service_pb.ApproveDocumentResponse(document=to_document(document))

    async def RejectDocument(
        self, request: service_pb.RejectDocumentRequest, context: Any
    ) -> service_pb.RejectDocumentResponse:
        """Reject a document."""
        rejection = Rejection(kyc_pb.KycDocument.Rejection.Name(request.rejection))
        document = await self._reviewing.reject(
            caller().user_id, UUID(request.document_id), rejection
        )
        return service_pb.RejectDocumentResponse(document=to_document(document))


def _user_id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        raise Failure(Reason.INVALID_FILTER, "This is not the id of a user.") from None


def _wrong_length() -> Failure:
    text = f"must have 1 to {PART_BYTES_MAX} bytes"
    violation = Violation("content", text)
    return Failure(Reason.INVALID_REQUEST, f"A part {text}.", violations=[violation])

"""Answers that are files: `google.api.HttpBody`, whole or in the pieces that a stream brings."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from starlette.responses import Response, StreamingResponse

from edge.rest.routes import Route
from services.kit.errors import Failure
from services.kit.reason import Reason

FILE_NAME = "file_name"
"""The field beside the body that names the file for whoever keeps it."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


async def file_response(
    route: Route, answer: AsyncGenerator[Message, None], headers: dict[str, str]
) -> Response:
    """Return what shows the file in these response messages.

    A Failure of the service before the first piece is raised; one after it breaks the connection,
    so that a file which is not whole never looks so.
    """
    first = await anext(answer, None)
    if first is None:
        raise Failure(Reason.INTERNAL, "The service answered nothing.")
    headers = headers | {"Cache-Control": "no-store"} | _disposition(first)
    kind = _body(route, first).content_type or "application/octet-stream"
    pieces = _pieces(route, first, answer)
    return StreamingResponse(pieces, headers=headers | {"Content-Type": kind})


async def _pieces(
    route: Route, first: Message, rest: AsyncGenerator[Message, None]
) -> AsyncIterator[bytes]:
    try:
        yield _body(route, first).data
        async for message in rest:
            yield _body(route, message).data
    finally:
        await rest.aclose()


def _body(route: Route, message: Message) -> HttpBody:
    field = route.shown_field
    body: Any = message if field is None else getattr(message, field.name)
    return body


def _disposition(message: Message) -> dict[str, str]:
    name = getattr(message, FILE_NAME, "")
    return (
        {"Content-Disposition": f'attachment; filename="{_UNSAFE.sub("-", name)}"'} if name else {}
    )

"""A built app, from a folder: files by name, and its page for every other path."""

from __future__ import annotations

import re
from http import HTTPStatus
from mimetypes import guess_type
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from edge.rest.problem import problem
from services.kit.errors import Failure
from services.kit.reason import Reason

_FOREVER = "public, max-age=31536000, immutable"
_ASK_EVERY_TIME = "no-cache"
_HASHED = re.compile(r".+[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+")
_PAGE = "index.html"
_READING = frozenset({"GET", "HEAD"})
_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Veritick</title>
<h1>This app is not built yet</h1>
<p>Run <code>make terminal</code>, then reload the page.</p>
<p>The interface for programs is here: <a href="/docs">reference</a>,
<a href="/openapi.json">OpenAPI</a>.</p>
</html>
"""


class BuiltApp:
    """The ASGI application of an app's pages: the terminal's, or the one for staff."""

    def __init__(self, folder: Path | None) -> None:
        """Serve a folder; without one, a page that says how to build it."""
        self._folder = folder.resolve() if folder is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        response = self._answer(request) if request.method in _READING else _only_reading()
        await response(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        if (file := self._file(path)) is not None:
            return _sent(file)
        # A page of the app's own router; a missing script must not become a page.
        wants_page = "text/html" in request.headers.get("accept", "")
        if not wants_page and path != "/":
            return _nothing_here()
        if (page := self._file(f"/{_PAGE}")) is not None:
            return _sent(page)
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return Response(_NOT_BUILT, status_code=status, media_type="text/html")

    def _file(self, path: str) -> Path | None:
        """Return the file that a path names, if there is one and it lies in the folder."""
        if self._folder is None or "\0" in path:
            return None
        try:
            file = (self._folder / path.lstrip("/")).resolve()
            inside = file.is_relative_to(self._folder)
            hidden = any(part.startswith(".") for part in Path(path).parts)
            return file if inside and not hidden and file.is_file() else None
        except OSError:  # a name longer than names may be
            return None


def _sent(file: Path) -> Response:
    kind, _ = guess_type(file.name)
    hashed = file.parent.name == "assets" and _HASHED.fullmatch(file.name)
    cache = {"Cache-Control": _FOREVER if hashed else _ASK_EVERY_TIME}
    return FileResponse(file, media_type=kind or "application/octet-stream", headers=cache)


def _only_reading() -> Response:
    failure = Failure(Reason.UNIMPLEMENTED, "Files can only be read.")
    allow = {"Allow": "GET, HEAD"}
    return problem(failure, status=HTTPStatus.METHOD_NOT_ALLOWED, headers=allow)


def _nothing_here() -> Response:
    return problem(Failure(Reason.UNIMPLEMENTED, "There is nothing at this path."))

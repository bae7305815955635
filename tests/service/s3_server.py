"""A server that speaks as much of S3 as a store of documents needs: put, get and delete.

It refuses requests that are not signed for its key, by the shape of their signature: that the
signature itself is right is the client library's own affair.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ACCESS_KEY_ID = "documents"


@dataclass
class Bucket:
    """What the server keeps, and where it is."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        signed = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/"
        if not request.headers.get("authorization", "").startswith(signed):
            return Response(status_code=403)
        name = request.path_params["name"]
        if request.method == "PUT":
            self.objects[name] = await request.body()
            return Response(headers={"ETag": '"1"'})
        if name not in self.objects:
            return Response(status_code=404)
        date = "Thu, 26 Nov 2026 12:00:00 GMT"
        return Response(self.objects[name], headers={"ETag": '"1"', "Last-Modified": date})

    async def delete(self, request: Request) -> Response:
        """Forget what a list in XML names (DeleteObjects)."""
        names = re.findall(rb"<Key>([^<]*)</Key>", await request.body())
        for name in names:
            self.objects.pop(name.decode(), None)
        deleted = b"".join(b"<Deleted><Key>%b</Key></Deleted>" % name for name in names)
        return Response(b"<DeleteResult>%b</DeleteResult>" % deleted, media_type="application/xml")


@asynccontextmanager
async def running_bucket(name: str) -> AsyncIterator[Bucket]:
    """Serve a bucket within the block."""
    bucket = Bucket()
    objects = Route(f"/{name}/{{name:path}}", bucket.answer, methods=["GET", "PUT"])
    deleting = Route(f"/{name}", bucket.delete, methods=["POST"])
    app = Starlette(routes=[objects, deleting])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bucket.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield bucket
        finally:
            server.should_exit = True
            await running

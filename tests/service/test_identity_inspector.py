"""Files are opened while the process that has them opened answers calls."""

import subprocess
import sys

from tests.identity_files import photo

BESIDE_CALLS = """
import asyncio, sys, grpc, uvloop
from services.identity.inspector import Inspector

async def answer(request, _context):
    return request

async def call_on(echo, enough):
    while not enough.is_set():
        await echo(b"again")

async def main():
    server, inspector, enough = grpc.aio.server(), Inspector(), asyncio.Event()
    method = grpc.unary_unary_rpc_method_handler(answer)
    handlers = grpc.method_handlers_generic_handler("Echo", {"Say": method})
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    content = sys.stdin.buffer.read()

    async def read():
        return content

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        echo = channel.unary_unary("/Echo/Say")
        calls = [asyncio.create_task(call_on(echo, enough)) for _ in range(4)]
        clean = await inspector.clean(read)
        enough.set()
        await asyncio.gather(*calls)
    await server.stop(None)
    sys.stdout.buffer.write(clean)

uvloop.run(main())
"""


def test_grpc_is_not_asked_to_survive_a_fork() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BESIDE_CALLS], input=photo(), capture_output=True, check=False
    )
    assert done.stdout.startswith(b"\xff\xd8\xff"), done.stderr.decode()
    assert b"fork" not in done.stderr

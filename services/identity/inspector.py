"""Has files opened in a process of its own, a few at a time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable

import structlog

from services.identity.inspection import REFUSED
from services.kit.errors import Failure
from services.kit.reason import Reason

_SECONDS_MAX = 25.0
_TOGETHER = 2
_log = structlog.stdlib.get_logger()


class Inspector:
    """Cleans files; see `inspection` for what that means."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_TOGETHER)

    async def clean(self, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return a clean copy of the file that `read` returns, once it is its turn.

        So as many files are in memory as are opened, however many wait. Failures: DOCUMENT_REFUSED,
        UNAVAILABLE, and those of `read`.
        """
        async with self._places:
            content = await read()
            process = _started()
            try:
                clean, complaint = await asyncio.to_thread(
                    process.communicate, content, _SECONDS_MAX
                )
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.communicate)
                raise _refused("The file takes too long to open.") from None
            finally:
                # Nobody may wait any more: with the process the thread ends that listens to it.
                process.kill()
        if process.returncode == 0:
            return clean
        if process.returncode == REFUSED:
            raise _refused(complaint.decode(errors="replace"))
        _log.warning("a document could not be opened", code=process.returncode)
        raise _refused("The file cannot be opened.")


def _started() -> subprocess.Popen[bytes]:
    """Start a process that reads a file. Failure UNAVAILABLE: that says nothing about the file.

    Not by the event loop: uvloop forks, and in the child gRPC's handlers of forks, made for one
    that goes on as it is, can crash before the other program begins. This one does not run them.
    """
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "services.identity.inspection"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # It opens what strangers sent: it is told nothing that it could give away.
            env={"PYTHONPATH": ":".join(sys.path)},
        )
    except OSError as error:
        _log.warning("a document could not be looked at", reason=str(error))
        message = "The file cannot be looked at just now."
        raise Failure(Reason.UNAVAILABLE, message) from error


def _refused(text: str) -> Failure:
    return Failure(Reason.DOCUMENT_REFUSED, text)

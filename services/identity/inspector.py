"""Has files opened in a process of its own, a few at a time."""

from __future__ import annotations

import asyncio
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
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.identity.inspection",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                # It opens what strangers sent: it is told nothing that it could give away.
                env={"PYTHONPATH": ":".join(sys.path)},
            )
            try:
                async with asyncio.timeout(_SECONDS_MAX):
                    clean, complaint = await process.communicate(content)
            except TimeoutError:
                raise _refused("The file takes too long to open.") from None
            # It ended before it was given anything, which says nothing about the file. A pipe
            # without a reader is a RuntimeError to uvloop.
            except (OSError, RuntimeError) as error:
                _log.warning("a document could not be looked at", reason=str(error))
                message = "The file cannot be looked at just now."
                raise Failure(Reason.UNAVAILABLE, message) from error
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode == 0:
            return clean
        if process.returncode == REFUSED:
            raise _refused(complaint.decode(errors="replace"))
        _log.warning("a document could not be opened", code=process.returncode)
        raise _refused("The file cannot be opened.")


def _refused(text: str) -> Failure:
    return Failure(Reason.DOCUMENT_REFUSED, text)

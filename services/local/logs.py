"""What the parts say, kept within bounds."""

import json
import os
import shutil
from pathlib import Path

LARGEST_BYTES = 16 << 20
_TAIL_BYTES = 32 << 10
_WORDS_MOST = 200


class Log:
    """The log of one part: `<name>.log`, and before it `<name>.log.1`.

    The part writes to the file itself, so that its last words survive any other process. The file
    is opened for appending, which lets `bound` cut it under the writer's hand.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.log"
        self._before = folder / f"{name}.log.1"

    def rotate(self) -> None:
        """Begin anew, and keep the last one."""
        if self.path.exists():
            self.path.replace(self._before)

    def open(self) -> int:
        """Return a descriptor for the part to write to; the caller closes it."""
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def bound(self, largest_bytes: int = LARGEST_BYTES) -> None:
        """Cut a log that has grown too large, keeping what it held as the last one."""
        if self.path.exists() and self.path.stat().st_size > largest_bytes:
            shutil.copyfile(self.path, self._before)
            os.truncate(self.path, 0)

    def last_words(self) -> str:
        """Return what the part said last, short, for telling why it died."""
        line = self._last_line()
        try:
            event = json.loads(line)
            words = [event["event"], *event.get("exception", "").strip().splitlines()[-1:]]
        except (ValueError, TypeError, KeyError, AttributeError):
            words = [line]
        return ": ".join(words)[:_WORDS_MOST]

    def _last_line(self) -> str:
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

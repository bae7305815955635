"""Passwords that are known from breaches elsewhere, looked up in a local file.

The file holds SHA-1 digests in hexadecimal, one a line and in order, each followed by anything: the
form in which *Have I Been Pwned* offers its list for download. It is searched where it lies, by
halving, so its size costs neither memory nor time to speak of, and no password leaves the machine.
"""

import hashlib
import mmap
from pathlib import Path

_DIGEST_LENGTH = 40


class BreachedPasswords:
    """A list of breached passwords."""

    def __init__(self, file: Path) -> None:
        """Open a list; OSError or ValueError when it cannot be read, or is no such list."""
        with file.open("rb") as opened:
            self._lines = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        first = self._digest_at(0)
        if len(first) != _DIGEST_LENGTH or first.strip(b"0123456789ABCDEFabcdef"):
            raise ValueError(f"{file} does not begin with a SHA-1 digest")

    def __contains__(self, password: object) -> bool:
        """Tell whether a password is in the list."""
        if not isinstance(password, str):
            return False
        wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().encode()
        low, high = 0, len(self._lines)
        while low < high:
            start = self._line_start((low + high) // 2)
            found = self._digest_at(start)
            if found == wanted:
                return True
            if found < wanted:
                low = self._line_end(start)
            else:
                high = start
        return False

    def _digest_at(self, start: int) -> bytes:
        return self._lines[start : start + _DIGEST_LENGTH].lower()

    def _line_start(self, position: int) -> int:
        return self._lines.rfind(b"\n", 0, position) + 1

    def _line_end(self, start: int) -> int:
        end = self._lines.find(b"\n", start)
        return len(self._lines) if end < 0 else end + 1

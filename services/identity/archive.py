"""A ZIP archive that is written as it is sent: nobody holds more of it than a piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from io import RawIOBase
from types import TracebackType
from typing import IO, Any, NamedTuple, Self
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

PIECE_BYTES = 64 * 1024
_README = "README.txt"
_COMPRESSED_ALREADY = (".jpg", ".png", ".pdf")


class Piece(NamedTuple):
    """What comes next in a file. Pieces of one file follow each other."""

    file_name: str
    about: str
    """What is in the file, in a sentence."""

    data: bytes


async def archived(
    pieces: AsyncIterator[Piece], preface: str, time: datetime
) -> AsyncIterator[bytes]:
    """Yield an archive of these files, dated `time`, with a README that says what each holds."""
    written = _Written()
    with ZipFile(written, "w") as archive, _Files(archive, time) as files:
        async for piece in pieces:
            files.write(piece)
            if ready := written.take(PIECE_BYTES):
                yield ready
        text = preface + "".join(f"\n{name}\n    {it}\n" for name, it in files.about.items())
        files.write(Piece(_README, "", text.encode()))
    yield written.take(0)


class _Written(RawIOBase):
    """What the archive consists of and nobody has taken yet."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        return len(data)

    def take(self, least: int) -> bytes:
        """Return what waits, unless it is less than this."""
        if len(self._waiting) < least:
            return b""
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


class _Files:
    """The files of an archive, of which the last is open."""

    def __init__(self, archive: ZipFile, time: datetime) -> None:
        self._archive = archive
        self._time = time
        self._open: IO[bytes] | None = None
        self._name = ""
        self.about: dict[str, str] = {}

    def write(self, piece: Piece) -> None:
        """Go on with the piece's file, or begin it and end the one before."""
        if piece.file_name != self._name:
            self._close()
            self._begin(piece)
        assert self._open is not None  # noqa: S101  begun just now, or before
        self._open.write(piece.data)

    def _begin(self, piece: Piece) -> None:
        name, when = piece.file_name, self._time
        info = ZipInfo(name, (when.year, when.month, when.day, when.hour, when.minute, when.second))
        packed = name.endswith(_COMPRESSED_ALREADY)
        info.compress_type = ZIP_STORED if packed else ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        self._open = self._archive.open(info, "w")
        self._name, self.about[name] = name, piece.about

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

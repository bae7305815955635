"""Files as users hand them in, and as attackers do."""

import io
import struct
import zlib
from collections.abc import Callable

import pikepdf
from PIL import Image


def photo(form: str = "JPEG", size: tuple[int, int] = (640, 480), **options: object) -> bytes:
    """Return a photo, turned by its metadata, that says where it was taken."""
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010E] = "SECRET PLACE"
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image.save(out, form, exif=exif, **options)
    return out.getvalue()


def pdf(change: Callable[[pikepdf.Pdf], None] | None = None, **options: object) -> bytes:
    """Return a PDF of one page, with something done to it."""
    out = io.BytesIO()
    with pikepdf.new() as made:
        made.add_blank_page()
        made.docinfo["/Author"] = "SECRET AUTHOR"
        if change is not None:
            change(made)
        made.save(out, **options)  # type: ignore[arg-type]
    return out.getvalue()


def with_script(made: pikepdf.Pdf) -> None:
    """Let a PDF run a script when it is opened."""
    made.Root.OpenAction = pikepdf.Dictionary(
        S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert('hello')")
    )


def with_page_action(made: pikepdf.Pdf) -> None:
    """Let a PDF do something when a page is shown."""
    made.pages[0].obj.AA = pikepdf.Dictionary(O=pikepdf.Dictionary(S=pikepdf.Name.Launch))


def with_attachment(made: pikepdf.Pdf) -> None:
    """Put a file into a PDF."""
    made.attachments["x.exe"] = b"MZ"


def with_many_pages(made: pikepdf.Pdf) -> None:
    """Make a PDF a book."""
    for _ in range(25):
        made.add_blank_page()


def bomb(side: int = 50_000) -> bytes:
    """Return a PNG of a few kilobytes that unpacks to gigabytes."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000, 9)
    chunks = [(b"IHDR", head), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )

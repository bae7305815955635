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


def with_letter(made: pikepdf.Pdf) -> None:
    """Write a line on a PDF's first page, in a font that it does not bring, above a dark field."""
    page = made.pages[0]
    helvetica = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = pikepdf.Dictionary({name: pikepdf.Name(value) for name, value in helvetica.items()})
    page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
    page.contents_add(
        b"BT /F1 30 Tf 72 600 Td (Electricity bill) Tj ET 0 0 .5 rg 72 72 300 300 re f"
    )


def with_scan(made: pikepdf.Pdf, scan: bytes) -> None:
    """Add a page to a PDF that is a scan as JPEG 2000."""
    picture = pikepdf.Stream(
        made,
        scan,
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Image,
        Width=640,
        Height=480,
        ColorSpace=pikepdf.Name.DeviceRGB,
        BitsPerComponent=8,
        Filter=pikepdf.Name.JPXDecode,
    )
    page = made.add_blank_page(page_size=(640, 480))
    page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im1=picture))
    page.contents_add(b"640 0 0 480 0 0 cm /Im1 Do")


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

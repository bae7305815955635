"""Opening what a user handed in: it must be what it says, and hold nothing besides.

Files come from strangers and the libraries that read them have had faults, so this runs in a
process of its own with little memory and time and nothing to steal: `python -m
services.identity.inspection` reads a file from standard input and writes a clean copy to standard
output, or ends with 3 and one line on standard error that says why not.

- An image is decoded, turned upright and encoded anew: its pixels stay, its metadata does not.
- A PDF is written anew without metadata. One that is encrypted, or that holds anything that acts
  by itself (scripts, actions on opening, attachments, forms that send), is refused.
"""

from __future__ import annotations

import io
import resource
import sys
from typing import Any

import pikepdf
from PIL import Image, ImageOps

REFUSED = 3
"""The exit code for a file that is not accepted."""

PIXELS_MIN, PIXELS_MAX = 200 * 200, 40_000_000
PAGES_MAX = 20
_BYTES_MAX = 8 * 1024 * 1024
_CLEAN_BYTES_MAX = 15 * 1024 * 1024
"""What a reviewer is sent in one message."""

_MEMORY_BYTES = 1024 * 1024 * 1024
_CPU_SECONDS = 20
_JPEG_QUALITY = 88
_OBJECTS_MAX = 20_000
_DEPTH_MAX = 30
_ACTIVE = frozenset(
    {
        "/AA",
        "/AcroForm",
        "/EmbeddedFile",
        "/EmbeddedFiles",
        "/JS",
        "/JavaScript",
        "/Launch",
        "/OpenAction",
        "/RichMedia",
        "/XFA",
    }
)


class Refused(Exception):
    """The file is not accepted; the message says why, to whoever handed it in."""


def media_type_of(content: bytes) -> str:
    """Return what a file is by how it begins, whatever its name says. Errors: Refused."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    raise Refused("Only JPEG, PNG and PDF files are accepted.")


def cleaned(content: bytes) -> bytes:
    """Return a clean copy of a file. Errors: Refused."""
    media_type = media_type_of(content)
    if media_type == "application/pdf":
        return _clean_pdf(content)
    return _clean_image(content, media_type.removeprefix("image/").upper())


def _clean_image(content: bytes, form: str) -> bytes:
    try:
        with Image.open(io.BytesIO(content), formats=[form]) as image:
            # Known from the head: nothing has been unpacked yet.
            pixels = image.width * image.height
            if pixels > PIXELS_MAX:
                raise _too_large()
            if pixels < PIXELS_MIN:
                raise Refused("The image is too small to be read.")
            upright = ImageOps.exif_transpose(image)
            bare = upright.convert("RGB")
    except Image.DecompressionBombError:
        raise _too_large() from None
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused("The image cannot be read.") from error
    # Nothing but the pixels goes over.
    bare.info = {}
    out = io.BytesIO()
    bare.save(out, form, **({"quality": _JPEG_QUALITY} if form == "JPEG" else {}))
    if out.tell() > _CLEAN_BYTES_MAX:
        raise Refused("The image is too large once it is unpacked: send it as a JPEG.")
    return out.getvalue()


def _too_large() -> Refused:
    return Refused(f"The image has more than {PIXELS_MAX // 1_000_000} megapixels.")


def _clean_pdf(content: bytes) -> bytes:
    try:
        with pikepdf.open(io.BytesIO(content)) as pdf:
            _require_passive(pdf)
            for key in ("/Metadata", "/Names", "/PieceInfo"):
                if key in pdf.Root:
                    del pdf.Root[key]
            if "/Info" in pdf.trailer:
                del pdf.trailer["/Info"]
            out = io.BytesIO()
            pdf.save(out, deterministic_id=True)
    except pikepdf.PasswordError as error:
        raise Refused("The PDF is encrypted.") from error
    except pikepdf.PdfError as error:
        raise Refused("The PDF cannot be read.") from error
    return out.getvalue()


def _require_passive(pdf: pikepdf.Pdf) -> None:
    if pdf.is_encrypted:
        raise Refused("The PDF is encrypted.")
    if not 0 < len(pdf.pages) <= PAGES_MAX:
        raise Refused(f"The PDF must have 1 to {PAGES_MAX} pages.")
    for count, item in enumerate(pdf.objects):
        if count > _OBJECTS_MAX:
            raise Refused("The PDF has too many parts.")
        _require_passive_object(item, 0)


def _require_passive_object(item: Any, depth: int) -> None:
    if depth > _DEPTH_MAX:
        raise Refused("The PDF is nested too deeply.")
    if isinstance(item, pikepdf.Dictionary | pikepdf.Stream):
        for key, value in item.items():
            if key in _ACTIVE or (key == "/S" and str(value) in _ACTIVE):
                raise Refused("The PDF holds something that acts by itself.")
            # What is referred to is an object of its own, and looked at as such.
            if not getattr(value, "is_indirect", False):
                _require_passive_object(value, depth + 1)
    elif isinstance(item, pikepdf.Array):
        for value in item:
            if not getattr(value, "is_indirect", False):
                _require_passive_object(value, depth + 1)


def main() -> int:
    """Clean standard input to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    content = sys.stdin.buffer.read(_BYTES_MAX + 1)
    try:
        if len(content) > _BYTES_MAX:
            raise Refused("The file is too large.")
        clean = cleaned(content)
    except Refused as refusal:
        sys.stderr.write(str(refusal))
        return REFUSED
    except MemoryError:
        sys.stderr.write("The file takes too much to open.")
        return REFUSED
    sys.stdout.buffer.write(clean)
    return 0


if __name__ == "__main__":
    sys.exit(main())

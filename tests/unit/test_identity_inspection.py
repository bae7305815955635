"""Files from strangers: what is accepted comes out clean, the rest is refused with its reason."""

import io

import pikepdf
import pytest
from PIL import Image

from services.identity import inspection
from services.identity.inspection import Refused, cleaned, media_type_of
from tests.identity_files import (
    bomb,
    pdf,
    photo,
    with_attachment,
    with_many_pages,
    with_page_action,
    with_script,
)

pytestmark = pytest.mark.security


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_an_image_comes_out_upright_and_without_metadata(form: str) -> None:
    content = photo(form)
    assert b"SECRET PLACE" in content or form == "PNG"
    clean = cleaned(content)
    with Image.open(io.BytesIO(clean)) as image:
        assert (image.format, image.size) == (form, (480, 640))
        assert not image.getexif()
        assert "exif" not in image.info
    assert b"SECRET" not in clean


def test_a_pdf_comes_out_without_metadata() -> None:
    clean = cleaned(pdf())
    assert b"SECRET" not in clean
    with pikepdf.open(io.BytesIO(clean)) as read:
        assert len(read.pages) == 1
        assert not read.docinfo


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"MZ\x90\0 a program", "Only JPEG, PNG and PDF"),
        (b"", "Only JPEG, PNG and PDF"),
        (b"<svg onload=alert(1)>", "Only JPEG, PNG and PDF"),
        (b"GIF89a", "Only JPEG, PNG and PDF"),
        (b"\xff\xd8\xff<script>", "cannot be read"),
        (photo()[:2_000], "cannot be read"),
        (photo(size=(100, 100)), "too small"),
        (bomb(), "megapixels"),
        (b"%PDF-1.7 nothing", "cannot be read"),
        (pdf(with_script), "acts by itself"),
        (pdf(with_page_action), "acts by itself"),
        (pdf(with_attachment), "acts by itself"),
        (pdf(with_many_pages), "1 to 20 pages"),
        (pdf(encryption=pikepdf.Encryption(owner="a", user="b")), "encrypted"),
        (pdf(encryption=pikepdf.Encryption(owner="a", user="")), "encrypted"),
    ],
)
def test_the_rest_is_refused_with_its_reason(content: bytes, why: str) -> None:
    with pytest.raises(Refused) as refused:
        cleaned(content)
    assert why in str(refused.value)


def test_what_unpacks_to_more_than_a_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_CLEAN_BYTES_MAX", 1_000)
    with pytest.raises(Refused, match="send it as a JPEG"):
        cleaned(photo("PNG"))


def test_the_type_is_read_off_the_content() -> None:
    assert media_type_of(photo("PNG")) == "image/png"
    assert media_type_of(photo("JPEG")) == "image/jpeg"
    assert media_type_of(pdf()) == "application/pdf"

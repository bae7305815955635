"""Letters: each kind in each language, telling the same."""

import re

import pytest

from services.identity.device import recognised
from services.identity.letter import LANGUAGES, LetterKind
from services.identity.wording import load_wording
from veritick.identity.v1.auth_service_pb2 import RegisterRequest
from veritick.identity.v1.profile_service_pb2 import UpdateProfileRequest
from veritick.option.v1.field_pb2 import field as rules

WORDING = load_wording()
ENGLISH = WORDING["en"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", LetterKind)
def test_every_letter_is_written_in_every_language(language: str, kind: LetterKind) -> None:
    text = WORDING[language][kind]
    assert text.subject.is_valid()
    assert text.body.is_valid()
    assert text.names() == ENGLISH[kind].names()
    subject, body = text.subject.template, text.body.template
    assert "\n" not in subject
    assert body.endswith((".\n", "$link\n"))
    if language != "en":
        assert (subject, body) != (ENGLISH[kind].subject.template, ENGLISH[kind].body.template)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_stands_for_its_kind_alone(language: str) -> None:
    subjects = [WORDING[language][kind].subject.template for kind in LetterKind]
    assert len(set(subjects)) == len(subjects)


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
            ["Firefox", "Linux"],
        ),
        ("evil.example/pay Chrome", ["Chrome"]),
        ("win-a-prize.example", []),
        ("", []),
    ],
)
def test_nothing_that_a_client_writes_is_taken_into_a_letter(agent: str, told: list[str]) -> None:
    assert recognised(agent) == told


def test_what_is_told_is_not_read_as_a_text_again() -> None:
    text = ENGLISH[LetterKind.RESET_PASSWORD]
    assert "$recipient" in text.mail("ana@example.com", {"link": "$recipient"}).body


def test_the_contract_offers_the_languages_there_are() -> None:
    for request in (RegisterRequest, UpdateProfileRequest):
        field = request.DESCRIPTOR.fields_by_name["language_code"]
        pattern = field.GetOptions().Extensions[rules].pattern
        assert re.findall("[a-z]{2}", pattern) == list(LANGUAGES)

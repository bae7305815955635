"""What goes on record, and what must not."""

import json

import pytest

from services.kit.audit import AUDIT_SUBJECT, By, actor_of, audited, audited_refusal, by_caller
from services.kit.clock import utc
from services.kit.journal import NewEvent
from services.kit.origin import Origin, set_origin
from services.kit.principal import ANONYMOUS, Principal, set_caller
from services.kit.reason import Reason
from veritick.event.v1.event_pb2 import Event
from veritick.identity.v1.audit_record_pb2 import AuditRecord
from veritick.identity.v1.auth_service_pb2 import LogInRequest
from veritick.trading.v1.terms_pb2 import Terms
from veritick.trading.v1.terms_service_pb2 import UpdateTermsRequest

NOON = utc(2026, 11, 26, 12)
ANA = By("user:ana", "203.0.113.0/24", "session", "request")


def told(event: NewEvent) -> AuditRecord:
    assert (event.subject, event.type) == (AUDIT_SUBJECT, "audit.recorded.v1")
    return Event.FromString(event.payload).audit_recorded.record


def test_a_change_tells_what_was_and_what_is() -> None:
    request = UpdateTermsRequest(book="demo", terms=Terms(instrument="EURUSD", payout_bp=8500))
    record = told(audited("x.y", "z:1", NOON, by=ANA, before={"payout": 1}, after=request))
    assert json.loads(record.before) == {"payout": 1}
    assert json.loads(record.after)["terms"] == {"instrument": "EURUSD", "payoutBp": 8500}
    assert (record.outcome, record.count) == (AuditRecord.DONE, 1)
    assert (record.actor, record.network) == ("user:ana", "203.0.113.0/24")
    assert (record.session_id, record.request_id) == ("session", "request")


def test_secrets_stay_off_the_record() -> None:
    request = LogInRequest(email="ana@example.com", password="open sesame")
    record = told(audited("x.y", "z:1", NOON, by=ANA, after=request))
    assert "sesame" not in record.after
    assert request.password == "open sesame", "the caller's own message is left alone"


def test_a_value_too_large_to_keep_is_kept_as_its_digest() -> None:
    record = told(audited("x.y", "z:1", NOON, by=ANA, after={"text": "a" * 10_000}))
    assert set(json.loads(record.after)) == {"sha256"}


def test_texts_are_storable_and_bounded() -> None:
    event = audited("x.y", "z\0" + "1" * 999, NOON, by=ANA, after={"a": "b\0"}, reason="c\0d")
    record = told(event)
    assert "\0" not in record.subject + record.after + record.reason
    assert "u0000" not in record.after
    assert len(record.subject) == 200


def test_a_refusal_tells_its_reason_and_how_often() -> None:
    record = told(audited_refusal("x.y", "", NOON, ANA, Reason.PERMISSION_DENIED, 7))
    assert record.outcome == AuditRecord.REFUSED
    assert (record.reason, record.count) == ("PERMISSION_DENIED", 7)


@pytest.mark.parametrize(
    ("who", "name"),
    [
        (Principal("user", "7"), "user:7"),
        (Principal("service", "operator"), "service:operator"),
        (ANONYMOUS, "anonymous"),
    ],
)
def test_callers_have_names(who: Principal, name: str) -> None:
    assert actor_of(who) == name


async def test_who_calls_is_known_without_being_told() -> None:
    set_caller(Principal("user", "7", session_id="s"))
    set_origin(lambda: Origin("198.51.100.77"))
    assert by_caller() == By("user:7", "198.51.100.0/24", "s", "")


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("asked by Ana <ana+1@example.com>, again", "asked by Ana <…>, again"),
        ("ana@пример.рф wrote", "… wrote"),
        ("sold @ 12:00, twice", "sold @ 12:00, twice"),
    ],
)
def test_words_stay_on_record_without_mail_addresses(words: str, kept: str) -> None:
    assert told(audited("x.y", "z:1", NOON, by=ANA, reason=words)).reason == kept

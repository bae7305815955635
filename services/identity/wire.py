"""Identity's values as the messages of the contract."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.identity.api_key import ApiKey
from services.identity.jurisdiction import Requirement
from services.identity.kyc import Document
from services.identity.letters import Delivered
from services.identity.revocation import Revoked
from services.identity.session import Session, Tokens
from services.identity.trail import Link, Record
from services.identity.user import User
from services.kit.journal import Entry, NewEvent, new_event
from services.kit.wire import to_datetime, to_timestamp
from veritick.event.v1 import event_pb2
from veritick.identity.v1 import (
    api_key_service_pb2,
    audit_record_pb2,
    auth_service_pb2,
    kyc_document_pb2,
    mailbox_service_pb2,
    revocation_service_pb2,
    user_pb2,
)
from veritick.journal.v1.journal_service_pb2 import JournalEntry
from veritick.option.v1.access_pb2 import Access


def to_user(user: User, missing: Sequence[Requirement] = ()) -> user_pb2.User:
    """Return a user as a message to the user, with what is missing for a real account."""
    message = to_public_user(user)
    message.email = user.email
    message.email_confirmed = user.email_confirmed
    message.country_code = user.country
    message.birth_date = user.birth_date.isoformat() if user.birth_date else ""
    message.agreement_version = user.agreement_version
    message.language_code = user.language
    message.missing_requirements.extend(user_pb2.Requirement.Value(name) for name in missing)
    return message


def to_public_user(user: User) -> user_pb2.User:
    """Return a user as others hear of him: without personal data, for they keep it for ever."""
    return user_pb2.User(
        user_id=str(user.user_id),
        roles=user.roles,
        create_time=to_timestamp(user.registered_at),
        authority_version=user.authority,
        real_accounts=user.real_accounts,
        banned=user.banned,
        banned_until_time=to_timestamp(user.banned_until) if user.banned_until else None,
        erase_time=to_timestamp(user.erased_at) if user.erased_at else None,
    )


def to_session(tokens: Tokens) -> user_pb2.Session:
    """Return a session with its tokens as a message."""
    return user_pb2.Session(
        session_id=str(tokens.session.session_id),
        user_id=str(tokens.session.user_id),
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        expire_time=to_timestamp(tokens.access_expires_at),
        refresh_expire_time=to_timestamp(tokens.refresh_expires_at),
    )


def to_open_session(session: Session, current: UUID | None) -> auth_service_pb2.OpenSession:
    """Return a session as its owner sees it; `current` is the one that asks."""
    return auth_service_pb2.OpenSession(
        session_id=str(session.session_id),
        device_name=session.device.name,
        address=session.device.address,
        create_time=to_timestamp(session.started_at),
        last_use_time=to_timestamp(session.last_used_at),
        expire_time=to_timestamp(session.expires_at),
        current=session.session_id == current,
    )


def to_delivered_mail(delivered: Delivered) -> mailbox_service_pb2.DeliveredMail:
    """Return a mail of the mailbox as a message."""
    return mailbox_service_pb2.DeliveredMail(
        mail_id=str(delivered.mail_id),
        recipient=delivered.mail.recipient,
        subject=delivered.mail.subject,
        body=delivered.mail.body,
        time=to_timestamp(delivered.sent_at),
    )


def to_revocation(revoked: Revoked) -> revocation_service_pb2.Revocation:
    """Return what was taken back as a message."""
    until = to_timestamp(revoked.until)
    if revoked.grant_id is not None:
        return revocation_service_pb2.Revocation(grant_id=str(revoked.grant_id), until_time=until)
    authority = revocation_service_pb2.Authority(
        user_id=str(revoked.user_id), version=revoked.authority
    )
    return revocation_service_pb2.Revocation(authority=authority, until_time=until)


def to_revoked(entry: Entry, matters: timedelta) -> Revoked | None:
    """Return what an entry of the journal takes back, if anything; it `matters` for so long."""
    event, until = event_pb2.Event.FromString(entry.payload), entry.time + matters
    match event.WhichOneof("data"):
        case "session_ended":
            return Revoked(until, grant_id=UUID(event.session_ended.session_id))
        case "api_key_ended":
            return Revoked(until, grant_id=UUID(event.api_key_ended.key_id))
        case "user_changed" if event.user_changed.user.authority_version > 1:
            user = event.user_changed.user
            return Revoked(until, user_id=UUID(user.user_id), authority=user.authority_version)
    return None


def to_signing_key(name: str, key: Ed25519PublicKey) -> auth_service_pb2.SigningKey:
    """Return a public key in the shape of RFC 8037."""
    x = urlsafe_b64encode(key.public_bytes_raw()).decode().rstrip("=")
    return auth_service_pb2.SigningKey(
        kty="OKP", crv="Ed25519", alg="EdDSA", use="sig", kid=name, x=x
    )


def subject_of(user_id: object) -> str:
    """Return the subject of a user's events in the journal."""
    return f"user:{user_id}"


def user_changed(user: User) -> NewEvent:
    """Return the event that a user is now this."""
    changed = event_pb2.UserChanged(user=to_public_user(user))
    return new_event(subject_of(user.user_id), event_pb2.Event(user_changed=changed))


def user_erased(user_id: UUID, time: datetime) -> NewEvent:
    """Return the event that a user was erased at this time."""
    erased = event_pb2.UserErased(user_id=str(user_id), time=to_timestamp(time))
    return new_event(subject_of(user_id), event_pb2.Event(user_erased=erased))


def api_key_ended(key: ApiKey, time: datetime) -> NewEvent:
    """Return the event that an API key ended at this time."""
    ended = event_pb2.ApiKeyEnded(
        key_id=str(key.key_id), user_id=str(key.user_id), time=to_timestamp(time)
    )
    return new_event(subject_of(key.user_id), event_pb2.Event(api_key_ended=ended))


def to_api_key(key: ApiKey) -> api_key_service_pb2.ApiKey:
    """Return a key as its owner sees it."""
    return api_key_service_pb2.ApiKey(
        key_id=str(key.key_id),
        name=key.name,
        scopes=[Access.Scope.Value(scope) for scope in sorted(key.scopes)],
        account_ids=key.account_ids,
        networks=key.networks,
        create_time=to_timestamp(key.created_at),
        expire_time=to_timestamp(key.expires_at) if key.expires_at else None,
        by_signature=key.public_key is not None,
    )


def session_ended(session: Session, time: datetime) -> NewEvent:
    """Return the event that a session ended at this time."""
    ended = event_pb2.SessionEnded(
        session_id=str(session.session_id), user_id=str(session.user_id), time=to_timestamp(time)
    )
    return new_event(subject_of(session.user_id), event_pb2.Event(session_ended=ended))


def record_of(journal: str, entry: JournalEntry) -> Record:
    """Return what a journal's audit event tells, as the trail keeps it."""
    told = entry.event.audit_recorded.record
    return Record(
        journal=journal,
        position=entry.sequence,
        time=to_datetime(told.time),
        actor=told.actor,
        action=told.action,
        subject=told.subject,
        outcome=audit_record_pb2.AuditRecord.Outcome.Name(told.outcome),
        reason=told.reason,
        count=told.count,
        before=told.before,
        after=told.after,
        network=told.network,
        session_id=told.session_id,
        request_id=told.request_id,
    )


def to_audit_record(link: Link) -> audit_record_pb2.AuditRecord:
    """Return a record in its place as a message."""
    record = link.record
    return audit_record_pb2.AuditRecord(
        sequence=link.sequence,
        journal=record.journal,
        actor=record.actor,
        action=record.action,
        subject=record.subject,
        outcome=audit_record_pb2.AuditRecord.Outcome.Value(record.outcome),
        reason=record.reason,
        count=record.count,
        before=record.before,
        after=record.after,
        network=record.network,
        session_id=record.session_id,
        request_id=record.request_id,
        time=to_timestamp(record.time),
        hash=link.hash.hex(),
    )


def to_document(document: Document) -> kyc_document_pb2.KycDocument:
    """Return a document, without what is in it, as a message."""
    message = kyc_document_pb2.KycDocument(
        document_id=str(document.document_id),
        user_id=str(document.user_id),
        kind=kyc_document_pb2.KycDocument.Kind.Value(document.kind.value),
        state=kyc_document_pb2.KycDocument.State.Value(document.state.value),
        size=document.size,
        received=document.received,
        media_type=document.media_type,
        create_time=to_timestamp(document.created_at),
    )
    if document.reviewed_at is not None:
        message.review_time.CopyFrom(to_timestamp(document.reviewed_at))
    if document.rejection is not None:
        message.rejection = kyc_document_pb2.KycDocument.Rejection.Value(document.rejection.value)
    if document.expires_at is not None:
        message.expire_time.CopyFrom(to_timestamp(document.expires_at))
    return message


def kyc_changed(document: Document) -> NewEvent:
    """Return the event that a document is now this."""
    changed = event_pb2.KycChanged(document=to_document(document))
    return new_event(subject_of(document.user_id), event_pb2.Event(kyc_changed=changed))

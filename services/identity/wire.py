"""Identity's values as the messages of the contract."""

from base64 import urlsafe_b64encode
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.identity.session import Session, Tokens
from services.identity.user import User
from services.kit.journal import NewEvent, new_event
from services.kit.wire import to_timestamp
from veritick.event.v1 import event_pb2
from veritick.identity.v1 import auth_service_pb2, user_pb2


def to_user(user: User) -> user_pb2.User:
    """Return a user as a message."""
    return user_pb2.User(
        user_id=str(user.user_id),
        email=user.email,
        roles=[role.value for role in user.roles],
        create_time=to_timestamp(user.registered_at),
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
    changed = event_pb2.UserChanged(user=to_user(user))
    return new_event(subject_of(user.user_id), event_pb2.Event(user_changed=changed))


def session_ended(session: Session, time: datetime) -> NewEvent:
    """Return the event that a session ended at this time."""
    ended = event_pb2.SessionEnded(
        session_id=str(session.session_id), user_id=str(session.user_id), time=to_timestamp(time)
    )
    return new_event(subject_of(session.user_id), event_pb2.Event(session_ended=ended))

"""Passkeys: WebAuthn, by the library that speaks it, and the table `passkeys`.

A challenge is signed rather than stored, so that asking for one costs nothing; that it is used once
is noted when it is used. The check of the person (PIN, finger, face) is demanded each time.
"""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa
import webauthn
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from services.identity import api_keys, throttle, users
from services.identity.api_key import LIVE_MAX
from services.identity.ground import Ground
from services.identity.letter import LetterKind
from services.identity.notices import Notices
from services.identity.on_record import credential_changed, refusals_noted
from services.identity.throttles import Throttle
from services.identity.user import User
from services.kit.errors import Failure
from services.kit.reason import Reason
from services.kit.refusals import Refusals
from services.kit.tokens import Keyring

_AUDIENCE = "passkey"
_ANYBODY = "anybody"
_LIFETIME = timedelta(minutes=5)
_CHALLENGE_BYTES = 32
_NAME = "Veritick"
_metadata = sa.MetaData()

passkeys = sa.Table(
    "passkeys",
    _metadata,
    sa.Column("passkey_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid),
    sa.Column("credential_id", sa.LargeBinary),
    sa.Column("public_key", sa.LargeBinary),
    sa.Column("sign_count", sa.BigInteger),
    sa.Column("name", sa.Text),
    sa.Column("created_at", sa.DateTime(timezone=True)),
    sa.Column("last_used_at", sa.DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey of one user."""

    passkey_id: UUID
    user_id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None
    credential_id: bytes
    public_key: bytes
    sign_count: int


class Passkeys:
    """Enrols passkeys, and finds out whose passkey has signed."""

    def __init__(
        self,
        ground: Ground,
        throttle: Throttle,
        keyring: Keyring,
        site_url: str,
        notices: Notices,
        refusals: Refusals,
    ) -> None:
        """Serve the pages of `site_url`; sign challenges with this keyring."""
        self._database = ground.database
        self._clock = ground.clock
        self._ids = ground.ids
        self._random = ground.random
        self._throttle = throttle
        self._keyring = keyring
        self._journal = ground.journal
        self._notices = notices
        self._refusals = refusals
        parts = urlsplit(site_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._site = parts.hostname or ""

    async def begin_enrolment(self, user: User) -> tuple[str, str]:
        """Return a challenge, and what a browser makes a passkey by. Failure TOO_MANY_KEYS."""
        known = await self.passkeys_of(user.user_id)
        _require_room(known)
        challenge, token = self._challenge(str(user.user_id))
        options = webauthn.generate_registration_options(
            rp_id=self._site,
            rp_name=_NAME,
            user_name=user.email,
            user_id=user.user_id.bytes,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=k.credential_id) for k in known],
        )
        return token, webauthn.options_to_json(options)

    async def finish_enrolment(
        self, user_id: UUID, challenge: str, credential: str, name: str
    ) -> Passkey:
        """Store what a browser made. Failures: PASSKEY_INVALID, TOO_MANY_KEYS."""
        async with self._database.transaction() as connection:
            expected = await self._used(connection, challenge, str(user_id))
            try:
                made = webauthn.verify_registration_response(
                    credential=credential,
                    expected_challenge=expected,
                    expected_rp_id=self._site,
                    expected_origin=self._origin,
                    require_user_verification=True,
                )
            except (WebAuthnException, ValueError, KeyError, TypeError) as error:
                raise passkey_invalid() from error
            passkey = Passkey(
                self._ids(),
                user_id,
                name,
                self._clock.now(),
                None,
                made.credential_id,
                made.credential_public_key,
                made.sign_count,
            )
            # The lock keeps simultaneous enrolments of one user from exceeding the bound together.
            await users.lock(connection, user_id)
            _require_room(await _of_user(connection, user_id))
            await _add(connection, passkey)
            await self._record(connection, "passkey.add", user_id, passkey.passkey_id)
            await self._notices.write(connection, LetterKind.PASSKEY_ADDED, user_id)
        self._journal.notify()
        return passkey

    async def passkeys_of(self, user_id: UUID) -> list[Passkey]:
        """Return the passkeys of a user, newest first."""
        async with self._database.connection() as connection:
            return await _of_user(connection, user_id)

    async def delete(self, user_id: UUID, passkey_id: UUID) -> None:
        """Delete a passkey of a user; one that is not there stays away."""
        delete = sa.delete(passkeys).where(
            passkeys.c.user_id == user_id, passkeys.c.passkey_id == passkey_id
        )
        async with self._database.transaction() as connection:
            if (await connection.execute(delete)).rowcount:
                await self._record(connection, "passkey.delete", user_id, passkey_id)
                await self._notices.write(connection, LetterKind.PASSKEY_REMOVED, user_id)
        self._journal.notify()

    async def _record(
        self, connection: AsyncConnection, action: str, user_id: UUID, passkey_id: UUID
    ) -> None:
        now, after = self._clock.now(), {"passkey": str(passkey_id)}
        record = credential_changed(action, user_id, now, after)
        await self._journal.append(connection, [record], now)

    def begin_log_in(self) -> tuple[str, str]:
        """Return a challenge, and what a browser asks any passkey of this site by."""
        challenge, token = self._challenge(_ANYBODY)
        options = webauthn.generate_authentication_options(
            rp_id=self._site,
            challenge=challenge,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return token, webauthn.options_to_json(options)

    async def who_signed(self, challenge: str, credential: str, address: str) -> UUID:
        """Return whose passkey signed a challenge. Failures: PASSKEY_INVALID, RATE_LIMITED."""
        buckets = throttle.key_exchange(address)
        with refusals_noted(self._refusals, "passkey.present"):
            await self._throttle.admit(buckets)
            passkey = await self._presented(challenge, credential)
        await self._throttle.give_back(buckets)
        return passkey.user_id

    async def _presented(self, challenge: str, credential: str) -> Passkey:
        """Return the passkey that signed, and count its use. Failure PASSKEY_INVALID."""
        async with self._database.transaction() as connection:
            expected = await self._used(connection, challenge, _ANYBODY)
            passkey = await _find(connection, _credential_id(credential))
            if passkey is None:
                raise passkey_invalid()
            count = self._checked(passkey, credential, expected)
            change = sa.update(passkeys).where(passkeys.c.passkey_id == passkey.passkey_id)
            values = {"sign_count": count, "last_used_at": self._clock.now()}
            await connection.execute(change.values(values))
        return passkey

    def _checked(self, passkey: Passkey, credential: str, challenge: bytes) -> int:
        """Return the counter that a genuine signature tells. Failure PASSKEY_INVALID."""
        try:
            signed = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._site,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise passkey_invalid() from error
        return signed.new_sign_count

    def _challenge(self, subject: str) -> tuple[bytes, str]:
        challenge = self._random(_CHALLENGE_BYTES)
        written = urlsafe_b64encode(challenge).decode()
        claims = {"aud": _AUDIENCE, "sub": subject, "challenge": written}
        return challenge, self._keyring.sign(claims, _LIFETIME, self._clock.now())

    async def _used(self, connection: AsyncConnection, token: str, subject: str) -> bytes:
        """Use a challenge up, in the caller's transaction. Failure PASSKEY_INVALID."""
        now = self._clock.now()
        try:
            claims = self._keyring.claims(token, _AUDIENCE, now)
        except Failure as failure:
            raise passkey_invalid() from failure
        challenge = urlsafe_b64decode(claims["challenge"])
        # Not of the token: its signature can be written in more than one way.
        digest = hashlib.sha256(challenge).digest()
        fresh = await api_keys.use_assertion(connection, digest, now + _LIFETIME)
        if claims["sub"] != subject or not fresh:
            raise passkey_invalid()
        return challenge


async def delete_all(connection: AsyncConnection, user_id: UUID) -> int:
    """Delete the passkeys of a user in the caller's transaction; return how many there were."""
    theirs = sa.delete(passkeys).where(passkeys.c.user_id == user_id)
    return (await connection.execute(theirs)).rowcount


def passkey_invalid() -> Failure:
    """Return the refusal of a passkey, whatever is wrong with it."""
    return Failure(Reason.PASSKEY_INVALID, "This passkey is not known here, or is not genuine.")


def _require_room(known: Sequence[Passkey]) -> None:
    if len(known) >= LIVE_MAX:
        metadata = {"max": str(LIVE_MAX)}
        raise Failure(Reason.TOO_MANY_KEYS, "Delete a passkey first.", metadata=metadata)


def _credential_id(credential: str) -> bytes:
    """Return which passkey signed, as the browser says. Failure PASSKEY_INVALID."""
    try:
        written = str(json.loads(credential)["rawId"])
        return urlsafe_b64decode(written + "=" * (-len(written) % 4))
    except (ValueError, KeyError, TypeError) as error:
        raise passkey_invalid() from error


async def _add(connection: AsyncConnection, passkey: Passkey) -> None:
    row = {
        "passkey_id": passkey.passkey_id,
        "user_id": passkey.user_id,
        "credential_id": passkey.credential_id,
        "public_key": passkey.public_key,
        "sign_count": passkey.sign_count,
        "name": passkey.name,
        "created_at": passkey.created_at,
    }
    try:
        await connection.execute(sa.insert(passkeys).values(row))
    except IntegrityError as error:
        raise passkey_invalid() from error


async def _of_user(connection: AsyncConnection, user_id: UUID) -> list[Passkey]:
    query = sa.select(passkeys).where(passkeys.c.user_id == user_id)
    rows = await connection.execute(query.order_by(passkeys.c.passkey_id.desc()))
    return [_passkey_of(row) for row in rows]


async def _find(connection: AsyncConnection, credential_id: bytes) -> Passkey | None:
    query = sa.select(passkeys).where(passkeys.c.credential_id == credential_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return _passkey_of(row) if row else None


def _passkey_of(row: sa.Row[tuple[object, ...]]) -> Passkey:
    return Passkey(
        row.passkey_id,
        row.user_id,
        row.name,
        row.created_at,
        row.last_used_at,
        bytes(row.credential_id),
        bytes(row.public_key),
        row.sign_count,
    )

"""The second factor: codes of an authenticator app (TOTP), and recovery codes for its loss."""

import hashlib
from base64 import b32encode
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import pyotp
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.identity import roles, users
from services.identity.ground import Ground
from services.identity.letter import LetterKind
from services.identity.notices import Notices
from services.identity.on_record import credential_changed
from services.identity.vault import Vault
from services.identity.wire import user_changed
from services.kit.errors import Failure
from services.kit.reason import Reason

STEP_SECONDS = 30
_STEPS_AROUND = (0, -1, 1)
_SECRET_BYTES = 20
_RECOVERY_CODES = 10
_RECOVERY_BYTES = 10
_ISSUER = "Veritick"
_metadata = sa.MetaData()

totp = sa.Table(
    "totp",
    _metadata,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("confirmed_at", sa.DateTime(timezone=True)),
    sa.Column("last_step", sa.BigInteger),
)
recovery_codes = sa.Table(
    "recovery_codes",
    _metadata,
    sa.Column("user_id", sa.Uuid),
    sa.Column("digest", sa.LargeBinary, primary_key=True),
)


def accepted_step(secret: str, code: str, now: datetime, last_step: int) -> int | None:
    """Return the time step that a code belongs to, or None when it does not count.

    A code counts in its own step and the two beside it, for clocks differ; never at or before the
    last step that was used: a code that somebody overlooked typing works once.
    """
    present = int(now.timestamp()) // STEP_SECONDS
    generator = pyotp.TOTP(secret, interval=STEP_SECONDS)
    for step in (present + around for around in _STEPS_AROUND):
        right = pyotp.utils.strings_equal(code, generator.at(step * STEP_SECONDS))
        if right and step > last_step:
            return step
    return None


class SecondFactors:
    """Enrols, checks and removes second factors."""

    def __init__(
        self, ground: Ground, vault: Vault, notices: Notices, *, demanded_of_staff: bool
    ) -> None:
        """Seal secrets in this vault; where `demanded_of_staff`, permissions need a factor."""
        self._database = ground.database
        self._journal = ground.journal
        self._clock = ground.clock
        self._random = ground.random
        self._vault = vault
        self._notices = notices
        self._demanded_of_staff = demanded_of_staff

    async def in_force(self, user_id: UUID) -> bool:
        """Tell whether signing in takes a code."""
        async with self._database.connection() as connection:
            return await in_force(connection, user_id)

    async def counted(
        self, connection: AsyncConnection, user_id: UUID, may: frozenset[str]
    ) -> frozenset[str]:
        """Return what counts of what a user may do by his roles.

        Nothing for staff without a second factor, where one is demanded: whoever learns the
        password of one who may do much may then do no more than a trader.
        """
        if may and self._demanded_of_staff and not await in_force(connection, user_id):
            return frozenset()
        return may

    async def enrol(self, user_id: UUID, email: str) -> tuple[str, str]:
        """Return a new secret, and the URI that an app reads as a picture; not yet in force.

        Failure SECOND_FACTOR_EXISTS when one is in force: it has to be removed first.
        """
        secret = b32encode(self._random(_SECRET_BYTES)).decode()
        row = {
            "user_id": user_id,
            "sealed": self._vault.seal(secret.encode(), user_id.bytes),
            "last_step": 0,
        }
        anew = insert(totp).values(row)
        anew = anew.on_conflict_do_update(
            index_elements=["user_id"],
            set_={"sealed": row["sealed"]},
            where=totp.c.confirmed_at.is_(None),
        )
        async with self._database.transaction() as connection:
            if (await connection.execute(anew.returning(totp.c.user_id))).first() is None:
                raise Failure(Reason.SECOND_FACTOR_EXISTS, "A second factor is in force already.")
        return secret, pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER)

    async def confirm(self, user_id: UUID, code: str) -> list[str]:
        """Put the enrolled secret in force by a first code; return recovery codes, shown once.

        Failures: CODE_INVALID; SECOND_FACTOR_EXISTS when it is in force already.
        """
        async with self._database.transaction() as connection:
            row = await _locked(connection, user_id)
            if row is not None and row.confirmed_at is not None:
                raise Failure(Reason.SECOND_FACTOR_EXISTS, "A second factor is in force already.")
            if row is None or not await self._use(connection, row, code):
                raise code_invalid()
            change = sa.update(totp).where(totp.c.user_id == user_id)
            await connection.execute(change.values(confirmed_at=self._clock.now()))
            await self._record(connection, "second-factor.enable", user_id)
            await self._notices.write(connection, LetterKind.SECOND_FACTOR_ON, user_id)
            await self._renew_authority(connection, user_id)
            return await self._new_codes(connection, user_id)

    async def renew_codes(self, user_id: UUID) -> list[str]:
        """Replace the recovery codes. Failure SECOND_FACTOR_MISSING when there is no factor."""
        async with self._database.transaction() as connection:
            if not await in_force(connection, user_id):
                raise Failure(Reason.SECOND_FACTOR_MISSING, "There is no second factor.")
            await self._record(connection, "recovery-codes.renew", user_id)
            await self._notices.write(connection, LetterKind.RECOVERY_CODES_RENEWED, user_id)
            return await self._new_codes(connection, user_id)

    async def remove(self, user_id: UUID) -> None:
        """Remove the second factor with its recovery codes; none stays none."""
        async with self._database.transaction() as connection:
            if await self.take(connection, user_id):
                await self._record(connection, "second-factor.disable", user_id)
                await self._notices.write(connection, LetterKind.SECOND_FACTOR_OFF, user_id)

    async def take(self, connection: AsyncConnection, user_id: UUID) -> bool:
        """Remove it in the caller's transaction; tell whether it was in force."""
        had = await in_force(connection, user_id)
        for table in (totp, recovery_codes):
            await connection.execute(sa.delete(table).where(table.c.user_id == user_id))
        if had:
            await self._renew_authority(connection, user_id)
        return had

    async def check(self, connection: AsyncConnection, user_id: UUID, code: str) -> bool:
        """Tell whether a code of the app or a recovery code is right, and use it up."""
        row = await _locked(connection, user_id)
        if row is None or row.confirmed_at is None:
            return False
        if await self._use(connection, row, code):
            return True
        used = (
            sa.delete(recovery_codes)
            .where(recovery_codes.c.user_id == user_id, recovery_codes.c.digest == _digest(code))
            .returning(recovery_codes.c.digest)
        )
        if (await connection.execute(used)).first() is None:
            return False
        await self._record(connection, "recovery-code.use", user_id)
        return True

    async def _renew_authority(self, connection: AsyncConnection, user_id: UUID) -> None:
        """Let staff's tokens be renewed at once, with the permissions that count now."""
        user = await users.find(connection, user_id)
        if not self._demanded_of_staff or not await roles.may(connection, user.roles):
            return
        now = self._clock.now()
        renewed = await users.renew_authority(connection, user_id, now)
        await self._journal.append(connection, [user_changed(renewed)], now)

    async def _record(self, connection: AsyncConnection, action: str, user_id: UUID) -> None:
        now = self._clock.now()
        await self._journal.append(connection, [credential_changed(action, user_id, now)], now)

    async def _use(
        self, connection: AsyncConnection, row: sa.Row[tuple[object, ...]], code: str
    ) -> bool:
        secret = self._vault.open(row.sealed, row.user_id.bytes).decode()
        step = accepted_step(secret, code, self._clock.now(), row.last_step)
        if step is None:
            return False
        change = sa.update(totp).where(totp.c.user_id == row.user_id).values(last_step=step)
        await connection.execute(change)
        return True

    async def _new_codes(self, connection: AsyncConnection, user_id: UUID) -> list[str]:
        codes = [_written(self._random(_RECOVERY_BYTES)) for _ in range(_RECOVERY_CODES)]
        await connection.execute(
            sa.delete(recovery_codes).where(recovery_codes.c.user_id == user_id)
        )
        rows = [{"user_id": user_id, "digest": _digest(code)} for code in codes]
        await connection.execute(sa.insert(recovery_codes), rows)
        return codes


async def in_force(connection: AsyncConnection, user_id: UUID) -> bool:
    """Tell whether a user has a second factor."""
    query = sa.select(totp.c.confirmed_at).where(totp.c.user_id == user_id)
    return (await connection.execute(query)).scalar_one_or_none() is not None


def code_invalid() -> Failure:
    """Return the refusal of a code that is wrong, too old, or was used before."""
    return Failure(Reason.CODE_INVALID, "The code is wrong, or was used before.")


async def _locked(connection: AsyncConnection, user_id: UUID) -> sa.Row[tuple[object, ...]] | None:
    query = sa.select(totp).where(totp.c.user_id == user_id).with_for_update()
    return (await connection.execute(query)).one_or_none()


def _written(secret: bytes) -> str:
    """Write a recovery code so that it can be copied by hand: `abcd-efgh-…`."""
    text = b32encode(secret).decode().lower()
    return "-".join(_groups(text))


def _groups(text: str) -> Sequence[str]:
    return [text[start : start + 4] for start in range(0, len(text), 4)]


def _digest(code: str) -> bytes:
    """Return what is stored of a recovery code. It has 80 random bits, so a plain hash hides it."""
    return hashlib.sha256(code.strip().lower().encode()).digest()

"""Ed25519 tokens: who signed them is who may be believed about what.

Every process has a folder of keys: the public ones of its peers, and its own private one. A
token's issuer is the name of a key. Only `identity` may speak for users; every other issuer
speaks for itself alone, to one named target.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from services.kit.errors import Failure
from services.kit.principal import KeyUse, Principal
from services.kit.reason import Reason

USER_ISSUER = "identity"
USER_AUDIENCE = "veritick"
SERVICE_TOKEN_LIFETIME = timedelta(seconds=60)
_RENEW_BEFORE = timedelta(seconds=20)
_LEEWAY = timedelta(seconds=2)
_VERIFIED_MAX = 4096


class Keyring:
    """The keys one process holds, and the tokens it makes and believes."""

    def __init__(
        self,
        public: Mapping[str, Ed25519PublicKey],
        own: str | None = None,
        private: Ed25519PrivateKey | None = None,
    ) -> None:
        """Hold peers' public keys by name, and one's own name and private key if there is one."""
        self._public = dict(public)
        self._own = own
        self._private = private
        self._service_tokens: dict[str, tuple[str, datetime]] = {}
        # Verifying takes some 100 µs; a client repeats its token for minutes.
        self._verified: dict[tuple[str, str], tuple[Principal, datetime]] = {}

    @classmethod
    def load(cls, folder: Path, own: str | None) -> Keyring:
        """Read `public/*.pem`, and `private/<own>.pem` when a name is given.

        OSError or ValueError when a key is missing or is not an Ed25519 key.
        """
        public = {path.stem: _public_key(path) for path in sorted(folder.glob("public/*.pem"))}
        private = _private_key(folder / "private" / f"{own}.pem") if own else None
        return cls(public, own, private)

    def public_key(self, issuer: str) -> Ed25519PublicKey:
        """Return an issuer's public key; KeyError for an unknown one."""
        return self._public[issuer]

    def sign(self, claims: Mapping[str, Any], lifetime: timedelta, now: datetime) -> str:
        """Return a token of these claims, issued by this process, valid for `lifetime`."""
        key = self._own_key()
        full = {**claims, "iss": self._own, "iat": now, "exp": now + lifetime}
        return jwt.encode(full, key, algorithm="EdDSA", headers={"kid": self._own})

    def signature(self, text: bytes) -> bytes:
        """Return this process's Ed25519 signature of a text, 64 bytes.

        The same key signs tokens, so the text must begin as no token does.
        """
        return self._own_key().sign(text)

    def own_public_key(self) -> bytes:
        """Return the 32 bytes by which everybody can check `signature`."""
        return self._own_key().public_key().public_bytes_raw()

    def holds(self, public_key: bytes) -> bool:
        """Tell whether these 32 bytes are one of the public keys, those retired included."""
        return any(key.public_bytes_raw() == public_key for key in self._public.values())

    def service_token(self, target: str, now: datetime) -> str:
        """Return a token with which this process calls `target`, made anew when it grows old."""
        token, expires_at = self._service_tokens.get(target, ("", now))
        if expires_at - now < _RENEW_BEFORE:
            claims = {"sub": self._own, "aud": target}
            token = self.sign(claims, SERVICE_TOKEN_LIFETIME, now)
            self._service_tokens[target] = (token, now + SERVICE_TOKEN_LIFETIME)
        return token

    def verify(self, token: str, audience: str, now: datetime) -> Principal:
        """Return whom a token names; `audience` is the name of the service that checks it.

        Failure UNAUTHENTICATED for anything forged, malformed or meant for others,
        TOKEN_EXPIRED for one that was valid once.
        """
        known = self._verified.get((token, audience))
        principal, until = known or self._principal(token, audience, now)
        if now > until:
            self._verified.pop((token, audience), None)
            raise _expired()
        if known is None:
            if len(self._verified) >= _VERIFIED_MAX:
                del self._verified[next(iter(self._verified))]
            self._verified[token, audience] = (principal, until)
        return principal

    def claims(self, token: str, audience: str, now: datetime) -> dict[str, Any]:
        """Return the verified claims of a token made for `audience`; failures as in `verify`."""
        try:
            issuer = str(jwt.get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public[issuer],
                algorithms=["EdDSA"],
                audience=audience,
                issuer=issuer,
                # The time is ours to judge: it is an argument.
                options={
                    "require": ["exp", "iat", "sub", "aud", "iss"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except (jwt.InvalidTokenError, KeyError, ValueError) as error:
            raise Failure(Reason.UNAUTHENTICATED, "The token is not valid.") from error
        if now > _believed_until(claims):
            raise _expired()
        if _moment(claims["iat"]) > now + timedelta(seconds=60):
            raise Failure(Reason.UNAUTHENTICATED, "The token is from the future.")
        return claims

    def _own_key(self) -> Ed25519PrivateKey:
        if self._private is None or self._own is None:
            raise ValueError("this keyring has no private key")
        return self._private

    def _principal(self, token: str, audience: str, now: datetime) -> tuple[Principal, datetime]:
        if _speaks_for_a_user(token):
            claims = self.claims(token, USER_AUDIENCE, now)
            return _user(claims), _believed_until(claims)
        claims = self.claims(token, audience, now)
        if claims["sub"] != claims["iss"]:
            raise Failure(Reason.UNAUTHENTICATED, "A service may speak only for itself.")
        return Principal("service", str(claims["sub"])), _believed_until(claims)


def _user(claims: Mapping[str, Any]) -> Principal:
    version = claims.get("ver", 0)
    if not isinstance(version, int):
        raise Failure(Reason.UNAUTHENTICATED, "The token is not valid.")
    proven = claims.get("auth_time")
    return Principal(
        "user",
        str(claims["sub"]),
        permissions=_names(claims, "perm"),
        session_id=claims.get("sid"),
        authority=version,
        issued_at=_moment(claims["iat"]),
        proven_at=None if proven is None else _moment(proven),
        key=_key_use(claims) if "key" in claims else None,
    )


def _key_use(claims: Mapping[str, Any]) -> KeyUse:
    networks = tuple(sorted(_names(claims, "net")))
    return KeyUse(str(claims["key"]), _names(claims, "scope"), _names(claims, "acc"), networks)


def _names(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    return frozenset(str(item) for item in claims.get(name, ()))


def _speaks_for_a_user(token: str) -> bool:
    """Choose which rule to verify by; nothing is believed yet."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError) as error:
        raise Failure(Reason.UNAUTHENTICATED, "The token is not valid.") from error
    return bool(claims.get("iss") == USER_ISSUER and claims.get("aud") == USER_AUDIENCE)


def _believed_until(claims: Mapping[str, Any]) -> datetime:
    return _moment(claims["exp"]) + _LEEWAY


def _expired() -> Failure:
    return Failure(Reason.TOKEN_EXPIRED, "The token has expired.")


def _moment(seconds: object) -> datetime:
    if not isinstance(seconds, int | float):
        raise Failure(Reason.UNAUTHENTICATED, "The token is not valid.")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Failure(Reason.UNAUTHENTICATED, "The token is not valid.") from error


def _private_key(path: Path) -> Ed25519PrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path.name} is not an Ed25519 private key")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path.name} is not an Ed25519 public key")
    return key

"""An authenticator in software: it makes passkeys and signs with them, as a device would."""

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(content: bytes) -> str:
    """Write bytes as WebAuthn's JSON does."""
    return urlsafe_b64encode(content).decode().rstrip("=")


@dataclass
class Authenticator:
    """One device with one passkey, on one page of one site."""

    site: str = "127.0.0.1"
    origin: str = "http://127.0.0.1:8080"
    flags: int = PRESENT | VERIFIED
    credential_id: bytes = b"the passkey of a test"
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    user_handle: bytes = b""
    count: int = 0
    counts: bool = True
    """Many devices count no uses: theirs are always 0."""

    def create(self, options: str) -> str:
        """Make the passkey, and return what the browser sends."""
        asked = json.loads(options)
        numbers = self.key.public_key().public_numbers()
        point = {-2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, **point})
        length = len(self.credential_id).to_bytes(2, "big")
        attested = bytes(16) + length + self.credential_id + public
        statement = {"fmt": "none", "attStmt": {}, "authData": self._data(ATTESTED) + attested}
        response = {
            "clientDataJSON": text(self._client("webauthn.create", asked["challenge"])),
            "attestationObject": text(cbor2.dumps(statement)),
        }
        return self._sent(response)

    def sign(self, options: str) -> str:
        """Sign a challenge, and return what the browser sends."""
        asked = json.loads(options)
        self.count += self.counts
        client, data = self._client("webauthn.get", asked["challenge"]), self._data()
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        response = {
            "clientDataJSON": text(client),
            "authenticatorData": text(data),
            "signature": text(signed),
            "userHandle": text(self.user_handle),
        }
        return self._sent(response)

    def _data(self, more: int = 0) -> bytes:
        site = hashlib.sha256(self.site.encode()).digest()
        return site + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _sent(self, response: dict[str, Any]) -> str:
        written = text(self.credential_id)
        sent = {"id": written, "rawId": written, "type": "public-key", "response": response}
        return json.dumps(sent)

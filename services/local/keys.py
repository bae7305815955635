"""The keys with which services sign, made at the first start and kept."""

import secrets
from base64 import b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from services.local.home import write_private

_VAULT_KEY_BYTES = 32
SIGNERS = ("identity", "quotes", "trading", "settlement", "edge", "operator")


def ensure_keys(folder: Path) -> None:
    """Make the pair of every signer that has none: `private/<name>.pem`, `public/<name>.pem`.

    And the key of identity's vault, `private/identity.vault`.

    A key that is there is never replaced: what it signed stays valid.
    """
    public = folder / "public"
    public.mkdir(mode=0o700, parents=True, exist_ok=True)
    _ensure_vault(folder / "private" / "identity.vault")
    for name in SIGNERS:
        private = folder / "private" / f"{name}.pem"
        if not private.exists():
            write_private(private, _new_private_key())
        if not (public / f"{name}.pem").exists():
            (public / f"{name}.pem").write_bytes(_public_half(private.read_bytes()))


def _ensure_vault(file: Path) -> None:
    """Make the key by which identity seals secrets in its database, unless there is one."""
    if not file.exists():
        write_private(file, b64encode(secrets.token_bytes(_VAULT_KEY_BYTES)) + b"\n")


def _new_private_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def _public_half(private: bytes) -> bytes:
    key = load_pem_private_key(private, password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

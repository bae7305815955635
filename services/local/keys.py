"""The keys with which services sign, made at the first start and kept."""

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

SIGNERS = ("identity", "quotes", "trading", "settlement", "edge", "operator")


def ensure_keys(folder: Path) -> None:
    """Make the pair of every signer that has none: `private/<name>.pem`, `public/<name>.pem`.

    A key that is there is never replaced: what it signed stays valid.
    """
    public = folder / "public"
    public.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in SIGNERS:
        private = folder / "private" / f"{name}.pem"
        if not private.exists():
            write_private(private, _new_private_key())
        if not (public / f"{name}.pem").exists():
            (public / f"{name}.pem").write_bytes(_public_half(private.read_bytes()))


def _new_private_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def _public_half(private: bytes) -> bytes:
    key = load_pem_private_key(private, password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

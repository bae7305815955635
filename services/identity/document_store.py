"""Where sealed documents lie: a folder, or a bucket that speaks S3. Both are `obstore`'s."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store
from pydantic import BaseModel, Field, SecretStr

from services.kit.errors import Failure
from services.kit.reason import Reason


class S3Settings(BaseModel):
    """A bucket, and with what it is opened."""

    bucket: str = Field(min_length=3, max_length=63)
    endpoint: str | None = Field(default=None, description="of what is not Amazon's own")
    region: str = "us-east-1"
    access_key_id: str = Field(min_length=1)
    secret_access_key: SecretStr


def folder_store(folder: Path) -> ObjectStore:
    """Return a store in a folder that is its owner's only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return LocalStore(folder, mkdir=True)


def s3_store(settings: S3Settings) -> ObjectStore:
    """Return a store in a bucket."""
    local = (settings.endpoint or "").startswith("http://")
    return S3Store(
        settings.bucket,
        endpoint=settings.endpoint,
        region=settings.region,
        access_key_id=settings.access_key_id,
        secret_access_key=settings.secret_access_key.get_secret_value(),
        virtual_hosted_style_request=False,
        client_options={"allow_http": local, "timeout": "10s"},
        retry_config={"max_retries": 2},
    )


class DocumentStore:
    """Keeps bytes under names. Failure UNAVAILABLE when the store does not answer."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, name: str, content: bytes) -> None:
        """Keep bytes, in place of what was kept under the name."""
        with _answering():
            await obstore.put_async(self._store, name, content)

    async def get(self, name: str) -> bytes:
        """Return what is kept; FileNotFoundError when nothing is."""
        with _answering():
            found = await obstore.get_async(self._store, name)
            return bytes(await found.bytes_async())

    async def forget(self, name: str) -> None:
        """Keep it no longer; nothing kept is nothing to do."""
        with _answering():
            try:
                await obstore.delete_async(self._store, name)
            except FileNotFoundError:
                return


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        if isinstance(error, FileNotFoundError):
            raise
        message = "The documents cannot be reached right now."
        raise Failure(Reason.UNAVAILABLE, message, metadata={"part": "documents"}) from error

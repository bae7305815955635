"""The contract of this repository, built by buf, with comments."""

import subprocess
from pathlib import Path

import pytest

from proto import generate


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The contract as a descriptor set."""
    generate.copy_includes()
    target = tmp_path_factory.mktemp("contract") / "image.binpb"
    subprocess.run(
        [generate.SCRIPTS / "buf", "build", "proto", "-o", target], cwd=generate.ROOT, check=True
    )
    return Path(target).read_bytes()

"""What is stale is found, and the tools that guard the contract do guard it.

That nothing is stale `make lint` checks.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from proto import generate

ORDERS = "proto/veritick/trading/v1/order_service.proto"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generate.copy_includes()
    folder = tmp_path_factory.mktemp("fresh")
    generate.generate(folder)
    return folder


def changed(file: Path) -> None:
    file.write_text(file.read_text() + "\n")


@pytest.mark.parametrize("harm", [changed, Path.unlink])
@pytest.mark.parametrize(
    "name",
    [
        "clients/python/src/veritick/trading/v1/order_service_pb2.py",
        "clients/python/src/veritick/trading/v1/order_service_pb2.pyi",
        "clients/python/src/veritick/trading/v1/order_service_pb2_grpc.py",
        "services/kit/reason.py",
        str(generate.COMMENTS),
    ],
)
def test_a_generated_file_that_is_stale_is_named(
    fresh: Path, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(fresh, other)
    harm(other / name)

    assert generate.stale(other) == [Path(name)]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A copy of the contract that a test may break."""
    generate.copy_includes()
    shutil.copy(generate.ROOT / "buf.yaml", tmp_path)
    shutil.copytree(generate.PROTO, tmp_path / "proto")
    shutil.copytree(generate.INCLUDES, tmp_path / "build" / "proto-includes")
    return tmp_path


def buf(workspace: Path, *arguments: str) -> tuple[int, str]:
    command = [str(generate.SCRIPTS / "buf"), *arguments]
    done = subprocess.run(command, cwd=workspace, capture_output=True, check=False, text=True)
    return done.returncode, done.stdout + done.stderr


def edit(workspace: Path, old: str, new: str) -> None:
    file = workspace / ORDERS
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def breaking(workspace: Path) -> tuple[int, str]:
    return buf(workspace, "breaking", "proto", "--against", str(generate.BASELINE))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("google.protobuf.Timestamp valid_until = 8;", "int64 valid_until = 8;", "valid_until"),
        ("  bool replay = 2;\n", "", "replay"),
        ("rpc GetProposal(", "rpc AskProposal(", "GetProposal"),
    ],
    ids=["another type", "a field removed", "an RPC renamed"],
)
def test_a_change_that_breaks_clients_is_noticed(
    workspace: Path, old: str, new: str, complaint: str
) -> None:
    edit(workspace, old, new)

    code, said = breaking(workspace)

    assert code != 0
    assert complaint in said


def test_an_addition_breaks_nobody(workspace: Path) -> None:
    edit(workspace, "  bool replay = 2;\n", "  bool replay = 2;\n\n  // New.\n  bool lucky = 3;\n")

    assert breaking(workspace) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("// The order that exists.\n", "\n", "comment"),
        ("bool replay = 2;", "bool Replay = 2;", "lower_snake_case"),
        ("service OrderService {", "service Orders {", "Service"),
    ],
)
def test_a_careless_file_is_noticed(workspace: Path, old: str, new: str, complaint: str) -> None:
    edit(workspace, old, new)

    code, said = buf(workspace, "lint")

    assert code != 0
    assert complaint in said

"""The example of the TypeScript client, run as its README says."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.platform import Platform

pytestmark = [pytest.mark.platform, pytest.mark.timeout(120)]

NODE = Path(sys.executable).parent / "node"
EXAMPLE = Path(__file__).parents[2] / "clients" / "typescript" / "examples" / "trade.ts"


def test_the_example_trades_and_finds_its_receipt_right(platform: Platform) -> None:
    command = [str(NODE), str(EXAMPLE), platform.url]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=90)

    assert done.returncode == 0, done.stderr
    told = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in told] == ["seen", "bought", "closed", "receipt"]
    assert told[2][1].rstrip(",") in {"WIN", "LOSS", "DRAW", "VOID"}
    assert told[3] == ["receipt", "holds"]

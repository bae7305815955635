"""Calls that Schemathesis strings together by what they answer, against services as they run.

What one call answers (accounts, orders, documents, users) is asked for, changed and deleted by the
next ones, well-formed and not. Nothing of it may end in a fault of ours, or look otherwise than the
OpenAPI document says. The platform is one apart, for staff may do everything to it here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.rest.openapi import document
from tests.platform import Platform, running_platform
from tests.security.actors import Actors, registered, signed_in
from tests.security.conftest import running_edge

pytestmark = [
    pytest.mark.platform,
    pytest.mark.security,
    pytest.mark.long,
    pytest.mark.timeout(900),
]

ENDS_THE_SESSION = r"/v1/sessions|:endSessions|:changePassword|:resetPassword"
OPTIONS = {
    "phases": "stateful",
    "checks": "not_a_server_error,content_type_conformance,response_schema_conformance",
    "exclude-path-regex": ENDS_THE_SESSION,
    "max-examples": "40",
    # After ten seconds, as by default, a machine that is busy would be taken for a fault of ours.
    "request-timeout": "60",
    "warnings": "off",
}
SEEDS = range(1, 9)
SCENARIOS_MIN = 50


@pytest.fixture(scope="module")
def own() -> Iterator[Platform]:
    """A platform to be made a mess of."""
    with running_platform() as platform:
        yield platform


@pytest.fixture(scope="module")
def own_edge(own: Platform) -> Iterator[str]:
    """An edge in production mode in front of it."""
    with running_edge(own) as url:
        yield url


def attack(url: str, authorization: str, folder: Path) -> None:
    """Call whatever follows from what was answered before; fail with what Schemathesis found.

    Its own engine does it: a platform remembers, so nothing can be played twice to find a shorter
    way, as Hypothesis alone would have it. Where Hypothesis plays something twice all the same and
    it ends otherwise, Schemathesis stops, and goes on here with another seed.
    """
    schema = folder / "openapi.json"
    schema.write_text(json.dumps(document()))
    scenarios = 0
    for seed in SEEDS:
        scenarios += _passed(schema, url, authorization, seed)
        if scenarios >= SCENARIOS_MIN:
            return
    pytest.fail(f"only {scenarios} scenarios")


def _passed(schema: Path, url: str, authorization: str, seed: int) -> int:
    """Return how many scenarios passed; fail when one did not."""
    options = [f"--{name}={value}" for name, value in OPTIONS.items()]
    header = f"--header=Authorization: {authorization}"
    program = Path(sys.executable).with_name("st")
    command = [program, "run", schema, f"--url={url}", header, f"--seed={seed}", "--no-shrink"]
    done = subprocess.run(
        [*map(str, command), *options, "--no-color"],
        cwd=schema.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    return int(passed[1]) if passed else 0


def test_a_traders_calls_never_end_in_a_fault_of_ours(own_edge: str, tmp_path: Path) -> None:
    with signed_in(own_edge) as (client, _):
        attack(own_edge, client.headers["authorization"], tmp_path)


def test_nor_do_those_of_somebody_who_may_do_everything(
    own: Platform, own_edge: str, tmp_path: Path
) -> None:
    actors = Actors(own.home / "keys", registered(own, own_edge))
    attack(own_edge, f"Bearer {actors.token('admin', 'identity')}", tmp_path)

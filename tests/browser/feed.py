"""The simulated feed, told to misbehave."""

import json

from websockets.sync.client import connect

from tests.platform import Platform
from tests.waiting import PATIENCE_SECONDS


def command(platform: Platform, verb: str, *symbols: str) -> None:
    """Give the simulated market an order about symbols, and wait until it obeys."""
    request = {"op": "control", "command": verb, "symbols": symbols}
    url = f"ws://{platform.ports.address('simulator')}"
    with connect(url, open_timeout=PATIENCE_SECONDS) as socket:
        socket.send(json.dumps(request))
        for text in socket:
            answer = json.loads(text)
            if answer["type"] != "welcome":
                assert answer["type"] == "controlled", answer
                return

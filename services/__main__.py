"""Runs the whole platform on this machine: `python -m services`, or `make up`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from services.local import platform
from services.local.home import Refusal
from services.local.settings import Feed, read


def main(arguments: Sequence[str]) -> int:
    """Run until stopped and return the exit code; 1, with one line that says why, for a refusal."""
    chosen = _parser().parse_args(arguments)
    feed = Feed(chosen.feed, chosen.file and chosen.file.resolve(), chosen.speed)
    try:
        settings = read(os.environ, feed, Path.cwd())
        if chosen.reset:
            platform.forget(settings)
        elif chosen.audit is not None:
            return platform.audit(settings, chosen.audit)
        elif chosen.create_admin:
            platform.create_admin(settings, chosen.create_admin)
        else:
            platform.run(settings, sys.stdout)
    except Refusal as refusal:
        sys.stderr.write(f"veritick: {refusal}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services", description=__doc__)
    parser.add_argument("--feed", choices=("simulated", "replay"), default="simulated")
    parser.add_argument("--file", type=Path, help="the recording to replay, a CSV of ticks")
    parser.add_argument("--speed", default="1", help="how many times faster than recorded")
    parser.add_argument("--reset", action="store_true", help="forget all data, and do not start")
    parser.add_argument("--create-admin", metavar="EMAIL", help="make an administrator, and end")
    parser.add_argument(
        "--audit",
        nargs=argparse.REMAINDER,
        metavar="OPTION",
        help="audit the books, and end; what follows are options of `services.trading audit`",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

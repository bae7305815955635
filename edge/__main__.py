"""Run a part of the edge: `python -m edge rest|stream`, or print a document: `openapi|asyncapi`."""

import argparse
import sys
from importlib import import_module

from services.kit.garbage import collect_seldom

_PARTS = {
    "rest": ("edge.rest.app", "serve the REST interface and the apps"),
    "stream": ("edge.stream.app", "serve the socket"),
    "openapi": ("edge.rest.openapi", "print the OpenAPI document"),
    "asyncapi": ("edge.stream.asyncapi", "print the AsyncAPI document"),
}


def main() -> int:
    """Run the part named on the command line; answers the exit code.

    Each part is a module with a `main()`, and only the one asked for is imported.
    """
    parser = argparse.ArgumentParser(prog="python -m edge", description=__doc__)
    verbs = parser.add_subparsers(dest="part", required=True)
    for name, (_, description) in _PARTS.items():
        verbs.add_parser(name, help=description, description=description)
    module, _ = _PARTS[parser.parse_args().part]
    runtime = import_module(module)
    collect_seldom()
    runtime.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())

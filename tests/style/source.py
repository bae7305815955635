"""The code as text and as trees, for rules about how it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("services", "edge", "clients/python/src/veritick", "proto", "tests")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One hand-written file; `path` is relative to the repository."""

    path: str
    text: str

    @property
    def name(self) -> str:
        """Its dotted name, `services.trading.acceptance`; a package has the name of its folder."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def package(self) -> str:
        """The folder it is in: `services/trading`."""
        return self.path.rpartition("/")[0]

    @property
    def stem(self) -> str:
        return Path(self.path).stem

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    @property
    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield (line, dotted name) of each module, or thing in one, that it imports."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@cache
def modules() -> tuple[Module, ...]:
    """Return every hand-written module of the repository."""
    files = (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")))
    return tuple(
        Module(str(file.relative_to(ROOT)), file.read_text())
        for file in files
        if not file.stem.endswith(("_pb2", "_pb2_grpc"))
    )


def lines_of_code(function: Function) -> int:
    """Return how long a function is without its docstring."""
    first, *rest = function.body
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = rest if documented and rest else function.body
    end = body[-1].end_lineno or 0
    signature = first.lineno - function.lineno
    return signature + end - body[0].lineno + 1


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` of a name or attribute, or an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""

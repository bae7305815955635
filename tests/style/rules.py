"""The house rules of style.md that a program can check; each yields (where, what is wrong)."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from tests.style.source import Module, dotted, lines_of_code

Finding = tuple[str, str]
Rule = Callable[[Iterable[Module]], Iterator[Finding]]

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
FUNCTION_LINES_MEDIAN = 10

PURE: Mapping[str, tuple[str, ...]] = {
    "services/identity": (
        "api_key",
        "device",
        "disclosure",
        "erasure",
        "flag",
        "jurisdiction",
        "kyc",
        "letter",
        "password",
        "permission",
        "presence",
        "protection",
        "revocation",
        "session",
        "throttle",
        "trace",
        "trail",
        "user",
    ),
    "services/quotes": (
        "candle",
        "fixing",
        "history",
        "instrument",
        "opening",
        "session",
        "tick",
    ),
    "services/settlement": ("checkpoint", "fixing", "outcome", "receipt"),
    "services/trading": (
        "acceptance",
        "audit",
        "market",
        "order",
        "posting",
        "protection",
        "terms",
    ),
}
"""The rules of each domain: values in, values out (architecture.md, the sketch of the rooms)."""

KIT_VALUES = ("clock", "errors", "ids", "reason", "values")
"""What of the kit a pure module may stand on."""

GENERATED_ALLOWED = ("app", "neighbours", "rpc", "wire")
"""Where a service may know generated types; also modules called `…_rpc` or `…_wire`."""

KIT_GENERATED_ALLOWED = (
    "access",
    "approval_wire",
    "audit",
    "channels",
    "contract",
    "follower",
    "interceptor",
    "journal",
    "journal_face",
    "journal_wire",
    "process",
    "revocation_feed",
    "status",
    "validation",
    "wire",
)
"""The server, the channels and the journal of the kit."""

_FORBIDDEN_WORDS = re.compile(
    r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|NotImpl" + "emented"
)
_MONEY = re.compile(r"price|stake|amount|balance|money|mantissa|minor_units|payout|profit|exposure")
_WALL_CLOCK = re.compile(
    r"(?:^|\.)(?:datetime\.(?:now|utcnow|today)|date\.today|time\.time(?:_ns)?|uuid[147]|uuid\.uuid[147])$"
)
_ENVIRONMENT = re.compile(r"^os\.(?:environ|getenv|putenv)")
_KNOWS_ENVIRONMENT = {"app", "settings", "__main__"}


def of_the_product(modules: Iterable[Module]) -> Iterator[Module]:
    return (module for module in modules if not module.path.startswith("tests/"))


def of_the_platform(modules: Iterable[Module]) -> Iterator[Module]:
    return (module for module in modules if module.path.startswith(("services/", "edge/")))


def no_file_is_long(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in modules:
        if (lines := module.text.count("\n")) > FILE_LINES_MAX:
            yield module.path, f"has {lines} lines"


def no_function_is_long(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in modules:
        if "/migrations/" in module.path:
            continue  # a migration is a script: SQL written out, once
        for function in module.functions:
            if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX:
                yield f"{module.path}:{function.name}", f"has {lines} lines"


def functions_are_short(modules: Iterable[Module]) -> Iterator[Finding]:
    lengths: defaultdict[str, list[int]] = defaultdict(list)
    for module in of_the_product(modules):
        if "/migrations/" not in module.path:
            lengths[_package(module)].extend(map(lines_of_code, module.functions))
    for package, found in lengths.items():
        if len(found) > 2 and (median := statistics.median(found)) >= FUNCTION_LINES_MEDIAN:
            yield package, f"has functions of {median} lines in the middle"


def pure_modules_are_pure(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in modules:
        if module.stem not in PURE.get(module.package, ()):
            continue
        own = module.package.replace("/", ".")
        allowed = [f"{own}.{name}" for name in PURE[module.package]]
        allowed += [f"services.kit.{name}" for name in KIT_VALUES]
        for line, name in module.imports:
            root = name.partition(".")[0]
            if root in sys.stdlib_module_names or _within(name, allowed):
                continue
            yield module.path, f"imports {name} in line {line}"


def pure_modules_exist(modules: Iterable[Module]) -> Iterator[Finding]:
    present = {module.path for module in modules}
    for package, names in PURE.items():
        for name in names:
            if f"{package}/__init__.py" in present and f"{package}/{name}.py" not in present:
                yield f"{package}/{name}.py", "is listed as pure and does not exist"


def generated_types_stop_at_the_faces(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in modules:
        if not module.path.startswith("services/"):
            continue
        kit = module.package == "services/kit"
        allowed = KIT_GENERATED_ALLOWED if kit else GENERATED_ALLOWED
        if module.stem in allowed or module.stem.endswith(("_rpc", "_wire")):
            continue
        for line, name in module.imports:
            if name.startswith("veritick."):
                yield module.path, f"imports {name} in line {line}"


def no_tower_knows_another(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in of_the_platform(modules):
        tower = _tower(module.name)
        for line, name in module.imports:
            other = _tower(name)
            if other not in {"", "kit", tower} and name.startswith(("services.", "edge.")):
                yield module.path, f"imports {name} in line {line}"


def no_float_comes_near_money(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in of_the_product(modules):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.stmt) and not isinstance(node, _BLOCKS):
                yield from _float_beside_money(module, node)
            elif isinstance(node, ast.arg) and _MONEY.search(node.arg) and _says_float(node):
                yield module.path, f"takes {node.arg} as a float in line {node.lineno}"


def time_and_ids_are_arguments(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in of_the_platform(modules):
        if module.name in {"services.kit.clock", "services.kit.ids"} or module.stem == "app":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and _WALL_CLOCK.search(dotted(node.func)):
                yield module.path, f"calls {dotted(node.func)}"


def few_know_the_environment(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in of_the_platform(modules):
        if module.stem in _KNOWS_ENVIRONMENT:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and _ENVIRONMENT.match(dotted(node)):
                yield module.path, f"reads {dotted(node)}"


def nothing_is_left_for_later(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in modules:
        for number, line in enumerate(module.text.splitlines(), 1):
            if found := _FORBIDDEN_WORDS.search(line):
                yield f"{module.path}:{number}", f"says {found[0]}"


def a_package_says_what_it_is(modules: Iterable[Module]) -> Iterator[Finding]:
    for module in of_the_platform(modules):
        if not module.path.endswith("/__init__.py") or "migrations" in module.path:
            continue
        lines = [line for line in (ast.get_docstring(module.tree) or "").splitlines() if line]
        if len(lines) < 3:
            yield module.path, "says in less than three lines what the package is"


RULES: tuple[Rule, ...] = (
    no_file_is_long,
    no_function_is_long,
    functions_are_short,
    pure_modules_are_pure,
    pure_modules_exist,
    generated_types_stop_at_the_faces,
    no_tower_knows_another,
    no_float_comes_near_money,
    time_and_ids_are_arguments,
    few_know_the_environment,
    nothing_is_left_for_later,
    a_package_says_what_it_is,
)

_BLOCKS = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.Match,
)


def _package(module: Module) -> str:
    """Return `services/<name>`, or the top folder of what is no service."""
    folders = module.package.split("/")
    return "/".join(folders[:2] if folders[0] == "services" else folders[:1])


def _within(name: str, allowed: Iterable[str]) -> bool:
    """Whether a dotted name is one of these modules, or something in one of them."""
    return any(name == module or name.startswith(f"{module}.") for module in allowed)


def _tower(name: str) -> str:
    """Return which service, or the edge, a dotted name belongs to."""
    root, _, rest = name.partition(".")
    tower = rest.partition(".")[0] if root == "services" else root
    return "local" if tower == "__main__" else tower  # `python -m services` is the launcher


def _says_float(argument: ast.arg) -> bool:
    return argument.annotation is not None and "float" in ast.unparse(argument.annotation)


def _float_beside_money(module: Module, statement: ast.stmt) -> Iterator[Finding]:
    names = {
        name
        for node in ast.walk(statement)
        for name in (getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "arg", ""))
        if isinstance(name, str)
    }
    floats = any(
        (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        for node in ast.walk(statement)
    )
    if floats and (near := sorted(filter(_MONEY.search, names))):
        yield module.path, f"has a float near {near[0]} in line {statement.lineno}"

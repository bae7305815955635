"""The code keeps the house rules, and each rule is seen to catch what breaks it."""

import tomllib

import pytest

from tests.style import rules
from tests.style.exceptions import EXCEPTIONS
from tests.style.rules import RULES, Rule
from tests.style.source import ROOT, Module, modules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    broken = [
        f"{where} {what}" for where, what in rule(modules()) if (rule, where) not in EXCEPTIONS
    ]

    assert broken == [], "\n".join(["", *broken])


@pytest.mark.parametrize(
    ("rule", "where"), EXCEPTIONS, ids=[f"{rule.__name__}-{where}" for rule, where in EXCEPTIONS]
)
def test_an_exception_is_still_needed(rule: Rule, where: str) -> None:
    assert where in {place for place, _ in rule(modules())}


def test_what_is_read_is_the_whole_code() -> None:
    paths = {module.path for module in modules()}

    assert len(paths) > 100
    for one_of_each in ("services/kit/ids.py", "edge/settings.py", "proto/generate.py"):
        assert one_of_each in paths


def test_every_tower_is_in_the_import_contracts() -> None:
    folders = {f.parent.name for f in (ROOT / "services").glob("*/__init__.py")}
    towers = {f"services.{name}" for name in folders - {"kit", "local"}}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]

    for contract in contracts["contracts"]:
        listed = {*contract.get("modules", ()), *contract.get("forbidden_modules", ())}
        assert towers <= listed, contract["name"]


# ---- each rule catches what it is there for -----------------------------------------------------

LONG = "def long():\n" + "    pass\n" * 60
MIDDLING = "def middling():\n" + "    pass\n" * 10

BREAKS: list[tuple[Rule, str, str]] = [
    (rules.no_file_is_long, "edge/a.py", "\n" * 401),
    (rules.no_function_is_long, "edge/a.py", LONG),
    (rules.no_function_is_long, "edge/a.py", f"async {LONG}"),
    (rules.functions_are_short, "edge/a.py", f"{MIDDLING}\n{MIDDLING}\ndef f(): ..."),
    (rules.pure_modules_are_pure, "services/trading/order.py", "import sqlalchemy"),
    (rules.pure_modules_are_pure, "services/trading/order.py", "from services.kit import database"),
    (rules.pure_modules_are_pure, "services/trading/order.py", "from services.trading import book"),
    (
        rules.pure_modules_are_pure,
        "services/trading/order.py",
        "from services.trading.orders import x",
    ),
    (rules.pure_modules_exist, "services/trading/__init__.py", ""),
    (
        rules.generated_types_stop_at_the_faces,
        "services/trading/book.py",
        "def f():\n    from veritick.type.v1 import money_pb2",
    ),
    (rules.generated_types_stop_at_the_faces, "services/kit/jobs.py", "import veritick.type"),
    (rules.no_tower_knows_another, "services/trading/app.py", "from services import quotes"),
    (rules.no_tower_knows_another, "services/kit/app.py", "import services.trading.book"),
    (rules.no_tower_knows_another, "edge/rest/app.py", "from services.quotes.tick import Tick"),
    (rules.no_tower_knows_another, "services/local/ports.py", "from edge.settings import Settings"),
    (rules.no_float_comes_near_money, "services/trading/a.py", "stake = float(text)"),
    (rules.no_float_comes_near_money, "services/trading/a.py", "x = account.balance * 0.5"),
    (rules.no_float_comes_near_money, "edge/a.py", "def f(entry_price: float | None): ..."),
    (rules.no_float_comes_near_money, "edge/a.py", "class A:\n    amount: float"),
    (rules.time_and_ids_are_arguments, "edge/a.py", "import datetime\ndatetime.datetime.now()"),
    (rules.time_and_ids_are_arguments, "services/trading/a.py", "x = datetime.now(UTC)"),
    (rules.time_and_ids_are_arguments, "services/trading/a.py", "x = time.time()"),
    (rules.time_and_ids_are_arguments, "services/trading/a.py", "def f(id=uuid.uuid4()): ..."),
    (rules.few_know_the_environment, "services/trading/a.py", "x = os.environ['HOME']"),
    (rules.few_know_the_environment, "services/trading/a.py", "x = os.getenv('HOME')"),
    (rules.nothing_is_left_for_later, "tests/a.py", "# TO" + "DO: later"),
    (rules.nothing_is_left_for_later, "edge/a.py", "raise NotImpl" + "ementedError"),
    (rules.a_package_says_what_it_is, "services/a/__init__.py", '"""A.\n\nAnd b."""'),
]


@pytest.mark.parametrize(("rule", "path", "text"), BREAKS)
def test_a_broken_rule_is_noticed(rule: Rule, path: str, text: str) -> None:
    assert list(rule([Module(path, text)]))


def test_every_rule_is_tried() -> None:
    assert {rule for rule, _, _ in BREAKS} == set(RULES)


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (rules.no_function_is_long, "edge/a.py", "def f():\n" + "    pass\n" * 59),
        (rules.functions_are_short, "edge/a.py", f"{MIDDLING}\ndef f(): ...\ndef g(): ..."),
        (
            rules.pure_modules_are_pure,
            "services/trading/order.py",
            "import enum; from services.kit.values import Money; import services.trading.terms",
        ),
        (rules.no_tower_knows_another, "services/trading/app.py", "from services.kit import ids"),
        (rules.no_float_comes_near_money, "edge/a.py", "stake = int(text)\nwait = 0.5"),
        (rules.time_and_ids_are_arguments, "edge/a.py", "clock.now(); time.monotonic()"),
    ],
)
def test_what_keeps_a_rule_is_left_alone(rule: Rule, path: str, text: str) -> None:
    assert list(rule([Module(path, text)])) == []

"""Importing does nothing but define: no thread, socket, process or file comes of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.style.source import ROOT, modules

EFFECTS = {
    "os.putenv",
    "os.system",
    "socket.bind",
    "socket.connect",
    "subprocess.Popen",
}

WATCH = f"""
import importlib, json, sys, threading

seen, importing = [], ""

def hook(event, arguments):
    # Libraries may look around when they are imported; what counts is what comes of our own code.
    wrote = event == "open" and any(mode in str(arguments[1]) for mode in "wax+")
    if importing and (event in {EFFECTS!r} or wrote):
        seen.append(f"{{importing}} does {{event}} {{arguments}}")

def start(*arguments, begin=threading._start_new_thread):
    seen.append(f"{{importing}} does start a thread {{arguments}}")
    return begin(*arguments)

threading._start_new_thread = start
sys.dont_write_bytecode = True
sys.addaudithook(hook)
for importing in json.loads(sys.stdin.read()):
    importlib.import_module(importing)
print(json.dumps(seen))
"""


def effects_of(names: list[str], folder: Path = ROOT) -> list[str]:
    """Import modules in a fresh interpreter and return what else they did."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH],
        input=json.dumps(names),
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{ROOT / 'clients/python/src'}"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    effects: list[str] = json.loads(done.stdout)
    return effects


def test_importing_has_no_side_effects() -> None:
    names = [
        module.name
        for module in modules()
        if module.path.startswith(("services/", "edge/", "clients/"))
        and "migrations" not in module.path
        and "alembic" not in module.path
    ]
    names = [name.removeprefix("clients.python.src.") for name in names]

    assert effects_of(names) == []


@pytest.mark.parametrize(
    ("effect", "code"),
    [
        ("start a thread", "import threading; threading.Thread(target=dir).start()"),
        ("socket.bind", "import socket; socket.socket().bind(('127.0.0.1', 0))"),
        ("Popen", "import subprocess; subprocess.run(['true'])"),
        ("open", "open('left-behind', 'w')"),
        ("putenv", "import os; os.environ['LEFT'] = 'behind'"),
    ],
)
def test_a_side_effect_is_noticed(tmp_path: Path, effect: str, code: str) -> None:
    (tmp_path / "busy.py").write_text(code)

    effects = effects_of(["busy"], tmp_path)

    assert effects
    assert all(effect in said and said.startswith("busy does") for said in effects)

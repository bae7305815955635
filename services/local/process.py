"""How a process of the platform is tied to its supervisor, and made harmless."""

import functools
import importlib.util
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from services.local.home import Refusal

_FILES = 65_536
NOBODY = 65534
"""The uid under which Postgres runs when root starts the platform, in either way."""


def wheel_folder(package: str) -> Path:
    """Return where a package lies, without importing it: only its programs are wanted."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise Refusal(f"{package} is not installed: run make")
    return Path(found.submodule_search_locations[0])


def allow_many_files() -> None:
    """Let the parts open as many files as this user may: every socket of a trader is one."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def leashed(command: Sequence[str], ends_with: signal.Signals = signal.SIGKILL) -> list[str]:
    """Return `command` such that the kernel sends it `ends_with` when its parent dies.

    The leash is lost when the process changes its user, so it goes right before the program.
    """
    return [_tool("setpriv"), "--pdeathsig", ends_with.name.removeprefix("SIG"), "--", *command]


def as_ordinary_user() -> list[str]:
    """Return what to put before a command that refuses to run as root; nothing for other users.

    A user namespace in which root is called nobody is enough and leaves the files root's. Where
    the kernel forbids those (as container runtimes do), the command becomes nobody in earnest and
    keeps one right of root: to reach its files in folders that are closed to others.
    """
    if os.getuid() != 0:
        return []
    return _renamed_root() if _namespaces_work() else _real_nobody()


def own(folder: Path) -> None:
    """Give `folder` to the user whom `as_ordinary_user` makes, if it is another's."""
    wanted = NOBODY if os.getuid() == 0 and not _namespaces_work() else os.getuid()
    if folder.stat().st_uid == wanted:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, wanted, -1, follow_symlinks=False)


def _renamed_root() -> list[str]:
    ids = [f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
    return [_tool("unshare"), "--user", *ids, "--"]


def _real_nobody() -> list[str]:
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    reach = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    return [_tool("setpriv"), *ids, *reach, "--"]


@functools.cache
def _namespaces_work() -> bool:
    trial = subprocess.run([*_renamed_root(), "true"], capture_output=True, check=False)
    return trial.returncode == 0


def _tool(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path=os.defpath)
    if path is None:
        raise Refusal(f"{name} is missing: install util-linux")
    return path

"""T1–T3: the terminal in Chromium, before a whole platform whose feed ticks fast.

The feed gives 186 ticks a second to 28 instruments, so that any ten of them have sixty and more,
and the page follows all of them. Everything is measured by the browser itself.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, StorageState

from tests.bench.rows import REPEATS, Row
from tests.browser.chromium import running_chromium
from tests.browser.visitor import DESKTOP, Visitor, visiting
from tests.platform import Platform, running_platform
from tests.stores import Postgres

TICKS_PER_SECOND = "186"
LOAD_MS = 2_000
SCRIPT_BYTES = 250_000
TASK_MS = 50
FRAMES_PER_SECOND = 30
WINDOW_SECONDS = 60 // REPEATS
SETTLE_SECONDS = 15
HEAP_MINUTES = float(os.environ.get("BENCH_HEAP_MINUTES", "2"))
"""How long the heap is watched. Ten minutes is what the terminal promises; two show a leak too."""
HEAP_GROWTH = 1.1
WARM_UP_SECONDS = 60
"""What the engine compiles and caches at first is no growth."""

# From the beginning of the navigation until a candle's numbers are shown and Up can be pressed.
USABLE = """
const look = () => {
  const legend = document.querySelector('main dl dd');
  const ready = [...document.querySelectorAll('main button[aria-disabled=false]')];
  if (legend && ready.some(button => button.textContent.trim() === 'Up')) {
    window.usableAfter = performance.now();
  } else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
AWAITED = """() => new Promise(resolve => {
  const look = () => {
    if (window.usableAfter === undefined) requestAnimationFrame(look);
    else resolve(window.usableAfter);
  };
  look();
})"""
FRAMES = """seconds => new Promise(resolve => {
  const end = performance.now() + seconds * 1000;
  let frames = 0;
  const count = now => now >= end ? resolve(frames / seconds) : (frames += 1, next());
  const next = () => requestAnimationFrame(count);
  next();
})"""
TRACED = ["toplevel", "__metadata"]


async def t1(_postgres: Postgres, _folder: Path) -> list[Row]:
    """Measure the first load of the trade page, each time by a browser that has kept nothing."""
    return await asyncio.to_thread(_loading)


async def t2(_postgres: Postgres, _folder: Path) -> list[Row]:
    """Measure a minute of trading, in thirds: the longest task of the page's thread, its frames."""
    return await asyncio.to_thread(_running)


async def t3(_postgres: Postgres, _folder: Path) -> Row:
    """Measure what the page holds after a while, against what it held at the beginning."""
    return await asyncio.to_thread(_holding)


@contextmanager
def _opened() -> Iterator[tuple[Browser, Platform, StorageState]]:
    """Run a platform with a fast feed and a browser, with the cookies of somebody signed up."""
    told = {"VERITICK_SIMULATOR_TICKS_PER_SECOND": TICKS_PER_SECOND}
    with running_platform(environment=told) as platform, running_chromium() as browser:
        with visiting(browser, platform) as visitor:
            visitor.sign_up()
            storage = visitor.page.context.storage_state()
        yield browser, platform, storage


@contextmanager
def _trading() -> Iterator[Visitor]:
    with (
        _opened() as (browser, platform, storage),
        visiting(browser, platform, DESKTOP, storage) as visitor,
    ):
        visitor.open_trade_page()
        visitor.page.wait_for_timeout(SETTLE_SECONDS * 1000)
        yield visitor


def _loading() -> list[Row]:
    with _opened() as (browser, platform, storage):
        times, sizes = [], []
        for _ in range(1 + REPEATS):
            with visiting(browser, platform, DESKTOP, storage) as visitor:
                times.append(_load(visitor))
                sizes.append(_script_bytes(visitor))
    return [
        Row("T1", "load until the chart can be used", "ms", times[1:], [LOAD_MS], 1, less=True),
        Row("T1 script", "script, gzip", "bytes", sizes[1:], [SCRIPT_BYTES], 1, less=True),
    ]


def _load(visitor: Visitor) -> float:
    visitor.page.add_init_script(USABLE)
    visitor.page.goto(visitor.platform.url)
    return float(visitor.page.evaluate(AWAITED))


def _script_bytes(visitor: Visitor) -> float:
    """Add up the scripts that the page has fetched, as gzip makes them."""
    urls = {url for url in visitor.requests if url.endswith(".js")}
    bodies = [visitor.page.context.request.get(url).body() for url in urls]
    return float(sum(len(gzip.compress(body)) for body in bodies))


def _running() -> list[Row]:
    with _trading() as visitor:
        windows = [_window(visitor) for _ in range(REPEATS)]
    lasted, worked, frames = map(list, zip(*windows, strict=True))
    return [
        Row("T2", "longest task of the page's thread", "ms", lasted, [TASK_MS], 1, less=True),
        Row("T2 work", "the same in processor time", "ms", worked, [TASK_MS], 1, less=True),
        Row("T2 frames", "frames drawn", "1/s", frames, [FRAMES_PER_SECOND], 1),
    ]


def _window(visitor: Visitor) -> tuple[float, float, float]:
    browser = visitor.page.context.browser
    assert browser is not None
    browser.start_tracing(page=visitor.page, categories=TRACED)
    frames = float(visitor.page.evaluate(FRAMES, WINDOW_SECONDS))
    tasks = _tasks(json.loads(browser.stop_tracing())["traceEvents"])
    return max(lasted for lasted, _ in tasks), max(worked for _, worked in tasks), frames


def _tasks(events: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Return how long the tasks of the busiest page's main thread lasted and worked, in ms.

    They last longer than they work where others, such as the platform itself, want the processor.
    """
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for event in events:
        thread = event["pid"], event.get("tid", 0)
        if thread in mains and event["name"].endswith("RunTask") and "dur" in event:
            # The shortest ones come without a processor time.
            worked = event.get("tdur", 0) / 1000
            tasks.setdefault(thread, []).append((event["dur"] / 1000, worked))
    return max(tasks.values(), key=lambda each: sum(lasted for lasted, _ in each))


def _holding() -> Row:
    with _trading() as visitor:
        devtools = visitor.page.context.new_cdp_session(visitor.page)

        def heap() -> float:
            devtools.send("HeapProfiler.collectGarbage")
            return float(devtools.send("Runtime.getHeapUsage")["usedSize"]) / 1e6

        visitor.page.wait_for_timeout(WARM_UP_SECONDS * 1000)
        before = _apart(visitor, heap)
        visitor.page.wait_for_timeout(HEAP_MINUTES * 60_000)
        after = _apart(visitor, heap)
    title = f"heap after {HEAP_MINUTES:g} min, beside its beginning"
    return Row("T3", title, "MB", after, before, HEAP_GROWTH, less=True)


def _apart(visitor: Visitor, measure: Callable[[], float]) -> list[float]:
    """Measure a few times, a second apart."""
    found = []
    for _ in range(REPEATS):
        visitor.page.wait_for_timeout(1_000)
        found.append(measure())
    return found

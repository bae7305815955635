"""The system's Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

# A busy machine with two processors shows things late; what never comes fails all the same.
expect.set_options(timeout=30_000)

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run it without a window; without one this fails: nothing else would try the page."""
    found = [path for name in NAMES if (path := shutil.which(name))]
    assert found, f"no browser: install one of {', '.join(NAMES)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=["--no-sandbox"])
        yield browser
        browser.close()

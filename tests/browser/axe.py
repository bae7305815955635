"""What axe, the checker of accessibility, has to say of a page."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "clients" / "node_modules" / "axe-core" / "axe.min.js"


def complaints(page: Page) -> list[str]:
    """Return what it finds serious or worse, by rule and place.

    It is evaluated, so no policy is bent for it. What is still fading in has no colours of its own
    yet, so that is waited for.
    """
    page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate(
        """async () => {
            await Promise.allSettled(document.getAnimations().map((each) => each.finished));
            return (await axe.run()).violations;
        }"""
    )
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]

"""Take the README's pictures of the app, of the sample as ``make run`` scores it.

``python -m docs.screenshots``; with ``--all FOLDER``, every page at both widths, light and dark,
to look at before a release.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import QUIET, serve, settled

ROOT = Path(__file__).resolve().parent.parent
WORKSPACES = ROOT / "data" / "workspaces"
VIEW = "/quadrants?y_top=20&quadrant=high_high&order=best"
README = {
    "quadrants": (VIEW, 1920, 1080, "light"),
    "overview": ("/overview", 1280, 1000, "light"),
    "export": ("/export?from=recipe", 1280, 900, "dark"),
}
EVERY = ("/quadrants", "/quadrants?shown=line", "/quadrants?shown=box&box=-0.3,-0.1,0.4,0.6",
         "/search?text=dog", "/overview", "/compare?a=quadrant", "/compare?compare=scores",
         "/sample", "/export", "/export?from=recipe&format=csv",
         "/export?from=recipe&format=webdataset")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, into FOLDER")
    chosen = parser.parse_args()
    with serve(WORKSPACES) as address, sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or None
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        if chosen.all is None:
            for name, (view, width, height, scheme) in README.items():
                take(browser, address + view, width, height, scheme, ROOT / "docs" / f"{name}.png")
            return
        chosen.all.mkdir(parents=True, exist_ok=True)
        for number, view in enumerate(EVERY):
            for width in (1280, 1920):
                for scheme in ("light", "dark"):
                    file = chosen.all / f"{number}-{width}-{scheme}.png"
                    take(browser, address + view, width, 1400, scheme, file)


def take(browser: Browser, url: str, width: int, height: int, scheme: str, file: Path) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page.goto(url)
    settled(page)
    page.wait_for_timeout(1500)
    page.screenshot(path=file)
    page.close()
    print(file)


if __name__ == "__main__":
    main()

"""Take the README's pictures of the app, of the sample as ``make run`` scores it.

``python -m docs.screenshots``; with ``--all FOLDER``, every page at both widths, light and dark,
to look at before a release.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from curation.catalog.catalog import Catalog
from curation.selection.decisions import Decisions
from curation.selection.marks import Marks
from curation.selection.recipe import Recipe
from curation.storage.workspace import Workspace
from tests.browser.conftest import QUIET, serve, settled

ROOT = Path(__file__).resolve().parent.parent
WORKSPACES = ROOT / "data" / "workspaces"
# The pages as the README shows them: address, size, scheme.
README = {
    "quadrants": ("/quadrants?y_top=20&quadrant=high_high&order=best", 1920, 1080, "light"),
    "search": ("/search?text=dog", 1280, 1000, "light"),
    "targets": ("/targets", 1280, 1000, "light"),
    "overview": ("/overview", 1280, 1000, "light"),
    "sample": ("/sample?uid={uid}", 1280, 1000, "light"),
    "select": ("/select?recipe={recipe}", 1280, 1000, "light"),
    "compare": ("/compare?compare=scores", 1280, 1000, "light"),
    "marks": ("/marks", 1280, 700, "light"),
    "export": ("/export?from=recipe", 1280, 1000, "dark"),
    "score": ("/score?source=data/sample&name=again", 1280, 1000, "dark"),
}
RECIPE = Recipe.parse(
    """
    name: ncl30-animals20
    steps:
    - {score: neg_clip_loss, top: 0.3}
    - {score: norm_sim_inf_animals, top: 0.2}
    - {where: "word_count > 2"}
    """
)
EVERY = (
    "/quadrants",
    "/quadrants?shown=line&color=of:clip_score",
    "/quadrants?scale=percentile",
    "/quadrants?shown=box&box=-0.3,-0.1,0.4,0.6&zoom=-0.5,0,0.3,0.7",
    "/search?text=dog",
    "/targets",
    "/targets?show=two",
    "/targets?show=add",
    "/overview",
    "/sample?uid={uid}",
    "/select",
    "/select?recipe={recipe}",
    "/compare?a=quadrant",
    "/compare?compare=scores",
    "/marks",
    "/export",
    "/export?from=recipe&format=csv",
    "/export?from=recipe&format=webdataset",
    "/score",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, into FOLDER")
    chosen = parser.parse_args()
    shown = {"uid": best()[0], "recipe": RECIPE.packed()}
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(curated(Path(folder))) as address,
        sync_playwright() as playwright,
    ):
        path = os.environ.get("CHROMIUM") or None
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        if chosen.all is None:
            for name, (view, width, height, scheme) in README.items():
                file = ROOT / "docs" / f"{name}.png"
                take(browser, address + view.format(**shown), width, height, scheme, file)
            return
        chosen.all.mkdir(parents=True, exist_ok=True)
        for number, view in enumerate(EVERY):
            for width in (1280, 1920):
                for scheme in ("light", "dark"):
                    file = chosen.all / f"{number}-{width}-{scheme}.png"
                    take(browser, address + view.format(**shown), width, 1400, scheme, file)


def best() -> list[str]:
    """The uids of the samples that are most like animals, most first."""
    catalog = Catalog.of(Workspace.open(WORKSPACES / "sample"))
    rows = np.argsort(-catalog.array("norm_sim_inf_animals"), kind="stable")[:8]
    return [str(row["uid"]) for row in catalog.rows(rows)]


def curated(folder: Path) -> Path:
    """A copy of the sample in which somebody has decided something."""
    workspace = Workspace(folder / "sample")
    shutil.copytree(WORKSPACES / "sample", workspace.path)
    marks = Marks.of(workspace)
    for kind, uids in (("keep", best()[:5]), ("drop", best()[5:])):
        marks.mark(uids, kind)
    Decisions.of(workspace).save_recipe("ncl30_animals20", RECIPE)
    return folder


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

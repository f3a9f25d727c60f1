"""Take the README's screenshots of the app, with the sample that ``make run`` scores.

Run it with ``python -m docs.screenshots``. ``--all FOLDER`` takes every page at two widths, light
and dark, for a visual check before a release.
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
# Each screenshot of the README: address, width, height, color scheme.
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
# The addresses that ``--all`` takes.
VIEWS = (
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
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="take every page, into FOLDER")
    folder: Path | None = parser.parse_args().all
    parameters = {"uid": most_like_animals()[0], "recipe": RECIPE.packed()}
    with (
        tempfile.TemporaryDirectory() as workspaces,
        serve(copy_with_marks(Path(workspaces))) as address,
        sync_playwright() as playwright,
    ):
        path = os.environ.get("CHROMIUM") or None
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        if folder is None:
            for name, (view, width, height, scheme) in README.items():
                file = ROOT / "docs" / f"{name}.png"
                take(browser, address + view.format(**parameters), width, height, scheme, file)
            return
        folder.mkdir(parents=True, exist_ok=True)
        for number, view in enumerate(VIEWS):
            for width in (1280, 1920):
                for scheme in ("light", "dark"):
                    file = folder / f"{number}-{width}-{scheme}.png"
                    take(browser, address + view.format(**parameters), width, 1400, scheme, file)


def most_like_animals() -> list[str]:
    """The uids of the eight samples with the highest NormSim to animals, best first."""
    catalog = Catalog.of(Workspace.open(WORKSPACES / "sample"))
    rows = np.argsort(-catalog.array("norm_sim_inf_animals"), kind="stable")[:8]
    return [str(row["uid"]) for row in catalog.rows(rows)]


def copy_with_marks(folder: Path) -> Path:
    """Copy the sample workspace into a folder, with marks and a saved selection."""
    workspace = Workspace(folder / "sample")
    shutil.copytree(WORKSPACES / "sample", workspace.path)
    marks = Marks.of(workspace)
    for kind, uids in (("keep", most_like_animals()[:5]), ("drop", most_like_animals()[5:])):
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

"""How fast the app is with a million and with ten million samples.

    python -m benchmarks.app [--rows 1000000 10000000]       (needs the scored sample: make sample)

For each number of rows, a workspace is made from the sample's catalog: its rows repeated with new
uids and with noise on every score. Its images are the sample's. Printed:

- cold start until the whole first page is shown; beside it a Streamlit script with one number;
- exact counts of the four quadrants on the server; beside it one count by DuckDB;
- a line let go until tiles, chart, gallery and URL follow, for moves all over the chart;
- counts painted per second while a line is dragged;
- memory of the server after that;
- the first visit of every other page, and memory after that.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.first_paint import FLOOR, first_paint, started
from curation.analysis.quadrants import Cut, View, lines
from curation.catalog.catalog import Catalog
from tests.browser.conftest import QUIET, settled

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data" / "workspaces" / "sample"
# The plot: once it is there, boxes and zoom answer too.
PLOT = ".qc-surface"
X, Y = "neg_clip_loss", "norm_sim_inf_animals"
# Tiles, density with legend and axes, gallery: everything on the first page.
WHOLE_PAGE = (
    "[data-testid=stMetricValue]",
    ".qc-legend i",
    ".qc-tick",
    PLOT,
    "figure[data-uid] img",
)
# After Quadrants, in an order that a person might take.
TOUR = ("Search", "Overview", "Sample", "Select", "Compare", "Marks", "Export", "Quadrants")
DONE = """() => document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]")
    && !document.querySelector("[data-stale=true]")"""
# Sets window.moved to the milliseconds from letting a line go until everything that a move changes
# has changed and is painted; checks once per frame.
WATCH = """() => {
    const read = (selector, text) => [...document.querySelectorAll(selector)].map(text).join();
    const page = () => [
        location.href,
        read("figure[data-uid]", card => card.dataset.uid),
        read("[data-testid=stMetricValue]", tile => tile.textContent),
    ];
    window.moved = null;
    document.addEventListener("pointerup", () => {
        const began = performance.now(), before = page();
        const painted = () => { window.moved = performance.now() - began; };
        const look = () => {
            const hasChanged = page().every((part, i) => part !== before[i]);
            if (hasChanged && !document.querySelector(".qc-live")) setTimeout(painted);
            else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
    }, {capture: true});
}"""
# Moves a held line to and fro, five pixels per frame, for a number of milliseconds; returns the
# frames per second in which the count of the first quadrant had changed.
DRAG = """(duration) => new Promise(done => {
    const line = document.querySelector(".qc-line.x");
    const corner = document.querySelector(".qc-corner");
    const at = line.getBoundingClientRect(), began = performance.now();
    let frame = 0, painted = 0, last = corner.innerText;
    const move = now => {
        if (corner.innerText !== last) { painted++; last = corner.innerText; }
        if (now - began > duration) return done(painted / (now - began) * 1000);
        const turn = frame++ % 120, by = 5 * (turn < 60 ? turn - 30 : 90 - turn);
        line.dispatchEvent(new PointerEvent("pointermove", {
            pointerId: 1, clientX: at.left + 7 + by, clientY: at.top + 40, bubbles: true,
        }));
        requestAnimationFrame(move);
    };
    requestAnimationFrame(move);
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--repeat", type=int, default=5, help="cold starts")
    parser.add_argument("--moves", type=int, default=40)
    parser.add_argument("--keep", type=Path, help="folder to keep the workspaces in")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or None
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        for rows in chosen.rows:
            workspaces = (chosen.keep or Path(folder)) / str(rows)
            if not (workspaces / "synthetic" / "catalog.duckdb").exists():
                make(workspaces / "synthetic", rows)
            print(f"{rows:,} rows")
            counts(workspaces / "synthetic")
            cold(browser, workspaces, chosen.repeat)
            interaction(browser, workspaces, chosen.moves)
        browser.close()


def make(folder: Path, rows: int) -> None:
    """Make a workspace of so many samples, each similar to one of the sample's."""
    folder.mkdir(parents=True)
    (folder / "workspace.toml").write_bytes((SAMPLE / "workspace.toml").read_bytes())
    noise = " + ".join(["random()"] * 4) + " - 2"
    with duckdb.connect(str(folder / "catalog.duckdb")) as database:
        database.execute(f"ATTACH '{SAMPLE / 'catalog.duckdb'}' AS sample (READ_ONLY)")
        scores = database.sql("SELECT name FROM sample.columns WHERE kind = 'score'").fetchall()
        noisy = ", ".join(f"({n} + 0.04 * ({noise}))::FLOAT AS {n}" for (n,) in scores)
        database.execute(
            f"CREATE TABLE samples AS SELECT md5(i::VARCHAR) AS uid, s.* EXCLUDE (uid) "
            f"REPLACE ({noisy}) FROM range({rows}) t(i) JOIN sample.samples s "
            "ON s.rowid = i % (SELECT count(*) FROM sample.samples)"
        )
        for table in ("columns", "skipped"):
            database.execute(f"CREATE TABLE {table} AS FROM sample.{table}")
        database.execute(
            f"CREATE TABLE dataset AS SELECT * REPLACE ({rows} AS samples) FROM sample.dataset"
        )
        database.execute(f"CREATE TABLE shards AS SELECT {rows}::BIGINT AS samples, [] AS dropped")


def counts(workspace: Path) -> None:
    catalog = Catalog(workspace / "catalog.duckdb")
    began = time.perf_counter()
    catalog.cache.preload([X, Y])
    read = time.perf_counter() - began
    spent, by_duckdb = [], []
    with duckdb.connect() as database:
        database.execute(f"ATTACH '{workspace / 'catalog.duckdb'}' AS own (READ_ONLY)")
        for top in np.linspace(3, 90, 20):
            at = lines(catalog, X, Y, Cut("top", top), Cut("top", 100 - top))
            began = time.perf_counter()
            counted = View(catalog, X, Y, *at).counts()
            spent.append(time.perf_counter() - began)
            began = time.perf_counter()
            query = f"SELECT count(*) FROM own.samples WHERE {X} >= ?::FLOAT AND {Y} >= ?::FLOAT"
            found = database.execute(query, list(at)).fetchall()
            by_duckdb.append(time.perf_counter() - began)
            assert counted["high_high"] == found[0][0]
    report("two scores read and ranked", f"{1000 * read:7.0f} ms")
    middle, other = (1000 * statistics.median(each) for each in (spent, by_duckdb))
    report(
        "exact counts, four quadrants",
        f"{middle:7.1f} ms, at most {1000 * max(spent):.1f}; one by DuckDB {other:.1f}",
    )


def cold(browser: Browser, workspaces: Path, repeat: int) -> None:
    floors: list[float] = []
    apps: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "floor.py"
        script.write_text(FLOOR)
        for _ in range(repeat):
            floors += first_paint(browser, script, [], ["[data-testid=stMetric]"])
            arguments = ["--", str(workspaces.resolve())]
            apps.append(max(first_paint(browser, ROOT / "app.py", arguments, WHOLE_PAGE)))
    floor, middle = statistics.median(floors), statistics.median(apps)
    report("cold: a script with one number", f"{floor:7.2f} s")
    span = f"({min(apps):.2f} to {max(apps):.2f}), {middle - floor:.2f} more"
    report("cold: the whole page", f"{middle:7.2f} s {span}")


def report(what: str, figures: str) -> None:
    print(f"  {what:<36}{figures}", flush=True)


def interaction(browser: Browser, workspaces: Path, moves: int) -> None:
    """Drag lines, and measure how long the page takes to follow; then visit every page."""
    arguments = ["--", str(workspaces.resolve())]
    with started(ROOT / "app.py", arguments) as (address, process):
        page = browser.new_page(viewport={"width": 1280, "height": 1100})
        page.goto(address)
        settled(page)
        page.locator(PLOT).first.wait_for()
        page.evaluate(WATCH)
        spent = [move(page, number, moves) for number in range(moves)]
        ranked = sorted(spent)
        late = ranked[int(np.ceil(0.95 * moves)) - 1]
        middle, most = statistics.median(spent), ranked[-1]
        report(
            "let go to repainted",
            f"{middle:7.0f} ms, 95th percentile {late:.0f}, at most {most:.0f}",
        )
        report("counts while dragging", f"{drag(page):7.0f} a second, a line moved once a frame")
        report("memory of the server", memory(process.pid))
        for name in TOUR:
            began = time.perf_counter()
            page.locator(f"[data-testid=stTopNavLink][href$='/{name.lower()}']").click()
            page.wait_for_url(f"**/{name.lower()}*")
            page.wait_for_function(DONE, timeout=60_000)
            report(
                f"{name}, the first time" if name != "Quadrants" else "Quadrants again",
                f"{time.perf_counter() - began:7.2f} s",
            )
            settled(page)
        report("memory after every page", memory(process.pid))
        page.close()


def memory(process: int) -> str:
    status = Path(f"/proc/{process}/status").read_text()
    fields = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Vm"))
    now, most = (int(fields[name].split()[0]) / 1e6 for name in ("VmRSS", "VmHWM"))
    return f"{now:7.2f} GB, at most {most:.2f}"


def move(page: Page, number: int, moves: int) -> float:
    """Move a line; returns the milliseconds from letting it go until the page has followed."""
    axis = "x" if number % 2 == 0 else "y"
    # Multiples of the golden ratio: near and far, all over the chart.
    target = 0.15 + 0.7 * ((number * 0.618) % 1)
    x, y = hold(page, axis)
    plot = page.locator(PLOT).bounding_box()
    assert plot is not None
    if axis == "x":
        page.mouse.move(plot["x"] + target * plot["width"], y, steps=4)
    else:
        page.mouse.move(x, plot["y"] + target * plot["height"], steps=4)
    page.evaluate("() => { window.moved = null; }")
    page.mouse.up()
    page.wait_for_function("window.moved !== null", timeout=20_000)
    spent = float(page.evaluate("window.moved"))
    settled(page)
    return spent


def drag(page: Page) -> float:
    """Drag a line to and fro; returns how often per second the counts changed."""
    hold(page, "x")
    per_second = float(page.evaluate(DRAG, 5000))
    page.mouse.up()
    settled(page)
    return per_second


def hold(page: Page, axis: str) -> tuple[float, float]:
    """Press the pointer on a line, away from anything else."""
    at = page.get_by_role("slider", name=f"{axis.upper()} axis cutoff").bounding_box()
    assert at is not None
    # In the marginal histogram, which the other line does not reach.
    x, y = (at["x"] + 7, at["y"] + 40) if axis == "x" else (at["x"] + at["width"] - 8, at["y"] + 7)
    page.mouse.move(x, y)
    page.mouse.down()
    return x, y


if __name__ == "__main__":
    main()

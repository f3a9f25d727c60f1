"""The Quadrants page over a million and over ten million samples: is it instant?

    python -m benchmarks.app [--rows 1000000 10000000]       (needs the scored sample: make sample)

For each number of rows a workspace is made of the sample's catalog, its rows repeated with another
uid and with noise on every score; its pictures are the sample's. Printed, each beside what it is to
be measured by:

- cold start to the first page, whole, then until it answers boxes and zoom; beside it a Streamlit
  script that shows one number;
- exact counts of the four quadrants, as the server takes them; beside it one count by DuckDB;
- a line let go until tiles, chart, gallery and URL say so, for moves to places all over the chart;
- counts painted a second while a line is dragged;
- memory of the server after all this;
- every other page, the first time; memory then.
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
# What of Plotly's a box is dragged on.
POINTER = ".js-plotly-plot .nsewdrag"
X, Y = "neg_clip_loss", "norm_sim_inf_animals"
# The tiles, the density with its legend and axes, the pictures: all that is seen. Then Plotly, of
# which nothing is seen, takes the pointer for boxes and zoom.
MOMENTS = {
    "the whole page": [
        "[data-testid=stMetricValue]",
        ".qc-legend i",
        ".qc-tick",
        "figure[data-uid] img",
    ],
    "boxes and zoom answer": [POINTER],
}
# In an order that a person might take; the first has been seen.
TOUR = ("Search", "Overview", "Sample", "Select", "Compare", "Marks", "Export", "Quadrants")
DONE = """() => document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]")
    && !document.querySelector("[data-stale=true]")"""
# Notes when the page says all that a move changes, looking once a frame; the answer's end is when
# that frame has been painted.
WATCH = """() => {
    const told = (selector, say) => [...document.querySelectorAll(selector)].map(say).join();
    const page = () => [
        location.href,
        told("figure[data-uid]", card => card.dataset.uid),
        told("[data-testid=stMetricValue]", tile => tile.textContent),
    ];
    window.moved = null;
    document.addEventListener("pointerup", () => {
        const began = performance.now(), before = page();
        const painted = () => { window.moved = performance.now() - began; };
        const look = () => {
            const follows = page().every((part, i) => part !== before[i]);
            if (follows && !document.querySelector(".qc-live")) setTimeout(painted);
            else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
    }, {capture: true});
}"""
# Moves a line that is held by five pixels a frame, to and fro, for so many milliseconds, and counts
# the frames in which the first quadrant's count had become another one.
DRAG = """(lasting) => new Promise(done => {
    const line = document.querySelector(".qc-line.x");
    const corner = document.querySelector(".qc-corner");
    const at = line.getBoundingClientRect(), began = performance.now();
    let frame = 0, painted = 0, last = corner.innerText;
    const move = now => {
        if (corner.innerText !== last) { painted++; last = corner.innerText; }
        if (now - began > lasting) return done(painted / (now - began) * 1000);
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
    parser.add_argument("--keep", type=Path, help="make the workspaces here, and leave them")
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
            desk(browser, workspaces, chosen.moves)
        browser.close()


def make(folder: Path, rows: int) -> None:
    """A workspace of that many samples, each like one of the sample's."""
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
    say("two scores read and ranked", f"{1000 * read:7.0f} ms")
    middle, other = (1000 * statistics.median(each) for each in (spent, by_duckdb))
    say(
        "exact counts, four quadrants",
        f"{middle:7.1f} ms, at most {1000 * max(spent):.1f}; one by DuckDB {other:.1f}",
    )


def cold(browser: Browser, workspaces: Path, repeat: int) -> None:
    floors, apps = [], []
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "floor.py"
        script.write_text(FLOOR)
        for _ in range(repeat):
            floors += first_paint(browser, script, [], ["[data-testid=stMetric]"])
            selectors = [selector for drawn in MOMENTS.values() for selector in drawn]
            arguments = ["--", str(workspaces.resolve())]
            apps.append(first_paint(browser, ROOT / "app.py", arguments, selectors))
    floor = statistics.median(floors)
    say("cold: a script with one number", f"{floor:7.2f} s")
    end = 0
    for name, drawn in MOMENTS.items():
        end += len(drawn)
        spent = [max(run[:end]) for run in apps]
        middle = statistics.median(spent)
        span = f"({min(spent):.2f} to {max(spent):.2f}), {middle - floor:.2f} more"
        say(f"cold: {name}", f"{middle:7.2f} s {span}")


def say(what: str, figures: str) -> None:
    print(f"  {what:<36}{figures}", flush=True)


def desk(browser: Browser, workspaces: Path, moves: int) -> None:
    """Drag lines about, and see how long the page takes to follow."""
    arguments = ["--", str(workspaces.resolve())]
    with started(ROOT / "app.py", arguments) as (address, process):
        page = browser.new_page(viewport={"width": 1280, "height": 1100})
        page.goto(address)
        settled(page)
        page.locator(POINTER).first.wait_for()
        page.evaluate(WATCH)
        spent = [move(page, number, moves) for number in range(moves)]
        ranked = sorted(spent)
        late = ranked[int(np.ceil(0.95 * moves)) - 1]
        middle, most = statistics.median(spent), ranked[-1]
        say(
            "let go to repainted",
            f"{middle:7.0f} ms, 95th percentile {late:.0f}, at most {most:.0f}",
        )
        say("counts while dragging", f"{drag(page):7.0f} a second, a line moved once a frame")
        say("memory of the server", memory(process.pid))
        for name in TOUR:
            began = time.perf_counter()
            page.locator(f"[data-testid=stTopNavLink][href$='/{name.lower()}']").click()
            page.wait_for_url(f"**/{name.lower()}*")
            page.wait_for_function(DONE, timeout=60_000)
            say(
                f"{name}, the first time" if name != "Quadrants" else "Quadrants again",
                f"{time.perf_counter() - began:7.2f} s",
            )
            settled(page)
        say("memory after every page", memory(process.pid))
        page.close()


def memory(process: int) -> str:
    status = Path(f"/proc/{process}/status").read_text()
    told = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Vm"))
    now, most = (int(told[name].split()[0]) / 1e6 for name in ("VmRSS", "VmHWM"))
    return f"{now:7.2f} GB, at most {most:.2f}"


def move(page: Page, number: int, moves: int) -> float:
    """Let a line go somewhere else; milliseconds until the page says so."""
    axis = "Across" if number % 2 == 0 else "Up"
    # About golden steps: near and far, all over the chart.
    place = 0.15 + 0.7 * ((number * 0.618) % 1)
    x, y = hold(page, axis)
    plot = page.locator(POINTER).bounding_box()
    assert plot is not None
    if axis == "Across":
        page.mouse.move(plot["x"] + place * plot["width"], y, steps=4)
    else:
        page.mouse.move(x, plot["y"] + place * plot["height"], steps=4)
    page.evaluate("() => { window.moved = null; }")
    page.mouse.up()
    page.wait_for_function("window.moved !== null", timeout=20_000)
    spent = float(page.evaluate("window.moved"))
    settled(page)
    return spent


def drag(page: Page) -> float:
    """Drag a line to and fro; how often a second the counts changed."""
    hold(page, "Across")
    a_second = float(page.evaluate(DRAG, 5000))
    page.mouse.up()
    settled(page)
    return a_second


def hold(page: Page, axis: str) -> tuple[float, float]:
    """Take hold of a line where nothing else is."""
    at = page.get_by_role("slider", name=f"{axis}: line").bounding_box()
    assert at is not None
    # In the margin beside the plot, where the other line does not reach.
    x, y = (
        (at["x"] + 7, at["y"] + 40)
        if axis == "Across"
        else (at["x"] + at["width"] - 8, at["y"] + 7)
    )
    page.mouse.move(x, y)
    page.mouse.down()
    return x, y


if __name__ == "__main__":
    main()

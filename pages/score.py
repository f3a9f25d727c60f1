"""Score: a dataset into a workspace, in a process of its own."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from curation import formatting
from curation.errors import CurationError
from curation.jobs import jobs
from curation.jobs.jobs import Job, State
from curation.storage.workspace import Workspace
from pages.widgets.app import shell
from pages.widgets.app.markdown import code, plain, show_error
from pages.widgets.scoring import job_status, score_form, score_pick, score_source
from pages.widgets.state.url_text_field import field

shell.enter("score")


_CSS = """<style>
@media (min-width: 900px) {
  /* What runs stays in view while the form scrolls. */
  .st-key-score_desk > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"]
    > [data-testid="stColumn"]:last-child > [data-testid="stVerticalBlock"]
    {position: sticky; top: 4rem; height: auto; flex: none; max-height: calc(100vh - 5rem);
    overflow-y: auto}
}
</style>"""


def main() -> None:
    st.html(_CSS)
    with st.container(key="score_desk"):
        left, right = st.columns([7, 5], gap="large")
    with right:
        aside = st.container()
    with left:
        st.subheader("Score a dataset", anchor=False)
        form()
    with aside:
        job = looked_at()
        if job is not None:
            watch(job)
        elif not jobs.list_jobs(job_status.folder()):
            st.subheader("Jobs", anchor=False)
            st.caption(
                "Jobs run in the background: they continue when you close this page and are listed "
                "here."
            )
        job_status.history(job, follow)


def form() -> None:
    """The fields, the command that they come to, and the button."""
    missing: list[str] = []

    def asked(ask: Callable[[], list[str]]) -> list[str]:
        try:
            return ask()
        except CurationError as error:
            missing.append(str(error))
            return []

    source = score_source.source_field()
    recognized = st.container()
    folder = asked(lambda: [str(workspace(source))])
    arguments = asked(score_form.model)
    named = asked(score_form.target_rows)
    has_target = bool(named) or bool(folder and held_targets(Path(folder[0])))
    chosen = score_pick.pick_scores(has_target)
    arguments += named + asked(lambda: score_pick.score_arguments(chosen, has_target))
    with st.expander("Advanced", icon=":material/tune:"):
        st.markdown("**Reading the source**")
        options = score_form.reading()
        st.markdown("**Computing**")
        arguments += score_form.computing()
        arguments += asked(lambda: score_pick.parameters(chosen))
    for name, said in options.items():
        arguments += [f"--{name.replace('_', '-')}", said]
    with recognized:
        found = score_source.recognize(source, options)
    if not source:
        missing.insert(0, "enter a source")
        return nothing_yet(missing)
    # A name that begins with a dash is a name still.
    told = f"./{source}" if source.startswith("-") else source
    where = formatting.path(Path(folder[0])) if folder else "…"
    command = ["score", told, "--workspace", where, *arguments]
    st.code(wrapped(command), language="bash", wrap_lines=True)
    ready = found is not None and not found.error and not missing
    if missing:
        st.caption(f":material/info: {plain(sentence(missing))}")
    elif found is None:
        st.caption(":material/info: Click Check source first.")
    if st.button("Start scoring", type="primary", icon=":material/bolt:", disabled=not ready):
        start(command, Path(folder[0]))


def nothing_yet(missing: list[str]) -> None:
    st.caption(f":material/info: {plain(sentence(missing[:1]))}")
    st.button("Start scoring", type="primary", icon=":material/bolt:", disabled=True)


def start(command: list[str], folder: Path) -> None:
    try:
        follow(jobs.start(job_status.folder(), command, folder))
    except CurationError as error:
        show_error(error)
    else:
        st.rerun()


def workspace(source: str) -> Path:
    """The folder to score into, by its name below the first folder of workspaces.

    Raises:
        CurationError: the name will not do, or something else is there.
    """
    suggested = score_form.name_for(source, "pairs")
    name = field("Workspace", "name", placeholder=suggested) or suggested
    if Path(name).name != name or name.startswith((".", "-")) or len(name) > 80:
        raise CurationError(f"invalid workspace name {name!r}: use letters, digits, - and _")
    path = shell.roots()[0] / name
    shown = code(formatting.path(path))
    if not (path / "workspace.toml").is_file():
        if path.exists() and (not path.is_dir() or any(f.name != ".lock" for f in path.iterdir())):
            raise CurationError(f"{path} exists and is not a workspace; choose another name")
        st.caption(f"Creates {shown}.")
        return path
    held = Workspace.open(path).info()
    if source and held.source != _full(source):
        raise CurationError(f"the workspace {name} holds {held.source}; choose another name")
    if jobs.running_in(job_status.folder(), path):
        raise CurationError(f"a job is writing into {name}; wait for it or cancel it")
    known = ", ".join(held_targets(path))
    st.caption(
        f"{shown} exists: finished work is reused and new scores are added."
        + (f" Its targets: {plain(known)}." if known else "")
    )
    return path


def held_targets(folder: Path) -> list[str]:
    """The targets of earlier runs, which are measured again."""
    return Workspace(folder).targets()


def _full(source: str) -> str:
    return source.rstrip("/") if "://" in source else str(Path(source).resolve())


def wrapped(command: list[str]) -> str:
    """The command line, an option a line where it is long."""
    line = jobs.command(command)
    if len(line) <= 80:
        return line
    parts, lines = command[2:], [jobs.command(command[:2])]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    lines += [f"    {shlex.join(pair)}" for pair in pairs]
    return " \\\n".join(lines)


def sentence(missing: list[str]) -> str:
    told = "; ".join(missing)
    return f"{told[:1].upper()}{told[1:]}."


def looked_at() -> Job | None:
    """The job that the URL names, or this session chose, or that is running."""
    every = jobs.list_jobs(job_status.folder())
    wanted = st.query_params.get("job") or st.session_state.get("job_seen")
    found = next((job for job in every if job.id == wanted), None)
    found = found or next((job for job in every if jobs.is_running(job)), None)
    if found is not None:
        follow(found)
    return found


def follow(job: Job) -> None:
    st.session_state["job_seen"] = job.id
    job_status.follow(job)


def watch(job: Job) -> None:
    what = "Scoring into" if job.arguments[:1] == ("score",) else "Writing into"
    title = f"{what} {job.workspace.name}"
    job_status.show(job, title, lambda now: came_of(job, now), follow)


def came_of(job: Job, now: State) -> None:
    """What a job that is done has made."""
    name = shell.name_of(job.workspace)
    try:
        catalog = shell.opened(job.workspace / "catalog.duckdb")
    except (FileNotFoundError, CurationError) as error:
        return show_error(error)
    about = catalog.dataset
    with st.container(horizontal=True):
        st.metric("Samples", formatting.count(about.samples), border=True)
        st.metric("Skipped", formatting.count(about.skipped), border=True)
        st.metric("Scores", formatting.count(len(catalog.scores)), border=True)
    if name is not None and st.button(
        "Open workspace", type="primary", icon=":material/grid_view:", on_click=_view, args=(name,)
    ):
        st.switch_page("pages/quadrants.py", query_params={"ws": name})
    if about.skipped:
        st.markdown("**Skipped samples**")
        st.dataframe(
            [
                {"Reason": r["reason"], "Samples": r["samples"], "Example": r["example"]}
                for r in catalog.skipped_by_reason()
            ],
            hide_index=True,
        )
        with st.expander("All skipped samples"):
            st.dataframe(catalog.skipped(), hide_index=True)
            if about.skipped > 1000:
                st.caption("First 1,000; `info --skipped` lists all.")


def _view(name: str) -> None:
    # Before the sidebar's picker is made: what it shows counts before the URL.
    st.session_state["ws"] = name


main()

"""Score: score a dataset into a workspace as a background job."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from curation import extras, formatting
from curation.errors import CurationError
from curation.jobs import jobs
from curation.jobs.jobs import Job
from curation.storage.workspace import Workspace
from pages.widgets.app import shell
from pages.widgets.app.markdown import code, plain, show_error
from pages.widgets.scoring import job_status, score_form, score_pick, score_source
from pages.widgets.state.url_text_field import text_field

shell.enter("score")


_CSS = """<style>
@media (min-width: 900px) {
  /* The job stays in view while the form scrolls. */
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
        job_column = st.container()
    with left:
        st.subheader("Score a dataset", anchor=False)
        form()
    with job_column:
        job = current_job()
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
    """Show the fields, their command, and the button that starts it."""
    missing: list[str] = []

    def arguments_of(fields: Callable[[], list[str]]) -> list[str]:
        try:
            return fields()
        except CurationError as error:
            missing.append(str(error))
            return []

    try:
        extras.require_embedding("Scoring")
    except CurationError as error:
        missing.append(str(error))
    source = score_source.source_field()
    source_note = st.container()
    folder = arguments_of(lambda: [str(workspace(source))])
    arguments = arguments_of(score_form.model)
    targets = arguments_of(score_form.target_rows)
    has_target = bool(targets) or bool(folder and Workspace(Path(folder[0])).targets())
    chosen = score_pick.pick_scores(has_target)
    arguments += targets + arguments_of(lambda: score_pick.score_arguments(chosen, has_target))
    with st.expander("Advanced", icon=":material/tune:"):
        st.markdown("**Reading the source**")
        options = score_form.reading()
        st.markdown("**Computing**")
        arguments += score_form.computing()
        arguments += arguments_of(lambda: score_pick.parameters(chosen))
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", value]
    with source_note:
        recognized = score_source.recognize(source, options)
    if not source:
        return no_source()
    # A leading dash would read as an option.
    argument = f"./{source}" if source.startswith("-") else source
    target = formatting.path(Path(folder[0])) if folder else "…"
    command = ["score", argument, "--workspace", target, *arguments]
    st.code(wrapped(command), language="bash", wrap_lines=True)
    ready = recognized is not None and not recognized.error and not missing
    if missing:
        st.caption(f":material/info: {plain(sentence(missing))}")
    elif recognized is None:
        st.caption(":material/info: Click Check source first.")
    if st.button("Start scoring", type="primary", icon=":material/bolt:", disabled=not ready):
        start(command, Path(folder[0]))


def no_source() -> None:
    st.caption(":material/info: Enter a source.")
    st.button("Start scoring", type="primary", icon=":material/bolt:", disabled=True)


def start(command: list[str], folder: Path) -> None:
    try:
        follow(jobs.start(job_status.folder(), command, folder))
    except CurationError as error:
        show_error(error)
    else:
        st.rerun()


def workspace(source: str) -> Path:
    """The folder to score into, in the first folder of workspaces.

    Raises:
        CurationError: the name is invalid, or something else is in its place.
    """
    suggested = score_form.name_for(source, "pairs")
    name = text_field("Workspace", "name", placeholder=suggested) or suggested
    if Path(name).name != name or name.startswith((".", "-")) or len(name) > 80:
        raise CurationError(f"invalid workspace name {name!r}: use letters, digits, - and _")
    path = shell.roots()[0] / name
    shown = code(formatting.path(path))
    if not (path / "workspace.toml").is_file():
        if path.exists() and (not path.is_dir() or any(f.name != ".lock" for f in path.iterdir())):
            raise CurationError(f"{path} exists and is not a workspace; choose another name")
        st.caption(f"Creates {shown}.")
        return path
    info = Workspace.open(path).info()
    if source and info.source != _resolved(source):
        raise CurationError(f"the workspace {name} holds {info.source}; choose another name")
    if jobs.running_in(job_status.folder(), path):
        raise CurationError(f"a job is writing into {name}; wait for it or cancel it")
    known = ", ".join(Workspace(path).targets())
    st.caption(
        f"{shown} exists: finished work is reused and new scores are added."
        + (f" Its targets: {plain(known)}." if known else "")
    )
    return path


def _resolved(source: str) -> str:
    return source.rstrip("/") if "://" in source else str(Path(source).resolve())


def wrapped(command: list[str]) -> str:
    """The command line; a long one has one option per line."""
    line = jobs.command(command)
    if len(line) <= 80:
        return line
    parts, lines = command[2:], [jobs.command(command[:2])]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    lines += [f"    {shlex.join(pair)}" for pair in pairs]
    return " \\\n".join(lines)


def sentence(missing: list[str]) -> str:
    text = "; ".join(missing)
    return f"{text[:1].upper()}{text[1:]}."


def current_job() -> Job | None:
    """The job that the URL names, or that this session chose, or that is running."""
    all_jobs = jobs.list_jobs(job_status.folder())
    wanted = st.query_params.get("job") or st.session_state.get("chosen_job")
    chosen = next((job for job in all_jobs if job.id == wanted), None)
    job = chosen or next((job for job in all_jobs if jobs.is_running(job)), None)
    if job is not None:
        follow(job)
    return job


def follow(job: Job) -> None:
    st.session_state["chosen_job"] = job.id
    job_status.follow(job)


def watch(job: Job) -> None:
    verb = "Scoring into" if job.arguments[:1] == ("score",) else "Writing into"
    job_status.show(job, f"{verb} {job.workspace.name}", lambda _: show_result(job), follow)


def show_result(job: Job) -> None:
    """Show what a finished job has made."""
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
        "Open workspace",
        type="primary",
        icon=":material/grid_view:",
        on_click=_choose_workspace,
        args=(name,),
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


def _choose_workspace(name: str) -> None:
    # A callback, because it must run before the picker: its state comes before the URL.
    st.session_state["ws"] = name


main()

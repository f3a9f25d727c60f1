"""The status of a job: its progress, its result, and a list of earlier jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import streamlit as st

from curation import formatting
from curation.errors import CurationError
from curation.jobs import jobs
from curation.jobs.jobs import Job, State, Status
from pages.widgets.app import shell
from pages.widgets.app.html import element, join
from pages.widgets.app.markdown import plain, show_error

# Seconds between two updates of a running job.
EVERY = 1.0
LISTED = 8
ICONS: dict[Status, str] = {
    "running": ":material/autorenew:",
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "cancelled": ":material/cancel:",
    "lost": ":material/help:",
}
REST = "Startup, model loading, publishing"
_CONFIRMING = "job_to_cancel"
_CSS = """<style>
.stages {display: grid; grid-template-columns: 1.4rem 1fr auto; row-gap: 3px; font-size: .92rem;
  font-variant-numeric: tabular-nums}
.stages span:nth-child(3n) {text-align: right}
.stages .tick {color: #009E73}
.stages .rest {opacity: .7}
.messages {font-size: .84rem; opacity: .72; overflow-wrap: anywhere; line-height: 1.5}
.st-key-job_history {gap: .1rem}
.st-key-job_history button, .st-key-job_history button > div {justify-content: flex-start}
.st-key-job_history button {padding: 0 .2rem; min-height: 2rem}
</style>"""


def folder() -> Path:
    """Where this app's jobs are recorded."""
    return shell.roots()[0] / jobs.FOLDER


def show(
    job: Job,
    title: str,
    done: Callable[[State], None] | None = None,
    started: Callable[[Job], None] | None = None,
) -> None:
    """Show a job: its progress, updated every second, and its result once it has ended.

    Args:
        title: what the job does, such as "Scoring into pairs".
        done: draws the result of a job that succeeded.
        started: called with the new job when the job is resumed; by default ``follow``.
    """
    st.html(_CSS)
    with st.container(border=True, key="job_status"):
        if jobs.is_running(job):
            st.fragment(_running, run_every=EVERY)(job, title)
        else:
            _ended(job, title, done, started or follow)


def follow(job: Job) -> None:
    """Write the job into the URL, so that the page shows it."""
    st.query_params["job"] = job.id


def history(shown: Job | None, choose: Callable[[Job], None] = follow) -> None:
    """List the jobs, newest first; a click calls ``choose``.

    Args:
        shown: the job that the page shows.
    """
    all_jobs = jobs.list_jobs(folder())
    if not all_jobs:
        return
    st.html(_CSS)
    st.subheader("Jobs", anchor=False)
    count = len(all_jobs) if st.session_state.get("all_jobs") else LISTED
    with st.container(key="job_history"):
        for job in all_jobs[:count]:
            _line(job, shown is not None and job.id == shown.id, choose)
    if len(all_jobs) > LISTED:
        st.toggle(f"Show all {formatting.count(len(all_jobs))}", key="all_jobs")


def _line(job: Job, is_shown: bool, choose: Callable[[Job], None]) -> None:
    now = jobs.read_state(job)
    label = f"{plain(job.workspace.name)} · {now.status} · {jobs.start_time(job)}"
    if not now.is_running:
        label += f" · {formatting.duration(now.seconds)}"
    st.button(
        f"**{label}**" if is_shown else label,
        key=f"job_{job.id}",
        icon=ICONS[now.status],
        type="tertiary",
        on_click=choose,
        args=(job,),
        width="stretch",
    )


def _running(job: Job, title: str) -> None:
    now = jobs.read_state(job)
    if not now.is_running:
        # The whole page reruns, because all of it may show what the job made.
        st.rerun(scope="app")
    _heading(job, title, now, "stopping" if now.stopping else "running")
    _stages(now)
    if now.stage:
        share = min(now.done / now.total, 1.0) if now.total else 0.0
        st.progress(share, f"**{plain(now.stage)}**")
        st.caption(how_far(now))
    else:
        st.progress(0.0, "Preparing the next stage …" if now.finished else "Starting …")
    _messages(now)
    _warnings(now)
    if now.stopping:
        st.caption("Stopping after the current step (20 s at most)")
    elif st.session_state.get(_CONFIRMING) == job.id:
        st.write("Stop this job? Finished work is kept and the next run continues from there.")
        with st.container(horizontal=True):
            st.button(
                "Stop job", type="primary", icon=":material/stop:", on_click=_cancel, args=(job,)
            )
            st.button("Continue", on_click=_confirm, args=(None,))
    else:
        st.button("Cancel", icon=":material/stop:", on_click=_confirm, args=(job.id,))


def how_far(now: State) -> str:
    """30 of 60 samples · 72 samples/s · 12 s left in this stage"""
    parts = [f"{formatting.count(now.done)} of {formatting.plural(now.total, now.unit)}"]
    if now.rate:
        rate = f"{now.rate:,.0f}" if now.rate >= 10 else f"{now.rate:.2g}"
        parts.append(f"{rate} {now.unit}s/s")
    if now.remaining is not None:
        parts.append(f"{formatting.duration(now.remaining)} left in this stage")
    return " · ".join(parts)


def _ended(
    job: Job, title: str, done: Callable[[State], None] | None, started: Callable[[Job], None]
) -> None:
    now = jobs.read_state(job)
    _heading(job, title, now, now.status)
    stage = f" Last stage: {plain(now.stage)}, {how_far(now)}." if now.stage else ""
    if now.status == "failed":
        st.error(plain(now.error), icon=":material/error:")
    elif now.status == "lost":
        st.warning(plain(f"{now.error}.".capitalize()) + stage, icon=":material/help:")
    elif now.status == "cancelled":
        st.info(
            f"Stopped.{stage} Finished work is kept; Resume continues from there.",
            icon=":material/cancel:",
        )
    if now.status != "done":
        # Not a callback: an error must show here, below the button.
        if st.button("Resume", type="primary", icon=":material/play_arrow:"):
            try:
                started(jobs.resume(job))
            except CurationError as error:
                show_error(error)
            else:
                st.rerun()
    elif done is not None:
        done(now)
    _warnings(now)
    if now.finished:
        st.markdown("**Timing**")
        rest = now.seconds - sum(stage.seconds for stage in now.finished)
        _stages(now, rest if now.status == "done" else None)
    with st.expander("Log", icon=":material/terminal:"):
        st.code(jobs.command(job.arguments), language="bash", wrap_lines=True)
        log = jobs.read_log(job) or "(empty)"
        height: int | Literal["content"] = 260 if log.count("\n") > 10 else "content"
        st.code(log, language=None, wrap_lines=True, height=height)
        st.button(
            "Delete job record",
            icon=":material/delete:",
            type="tertiary",
            on_click=_forget,
            args=(job,),
            help="The job's results stay.",
        )


def _heading(job: Job, title: str, now: State, status: str) -> None:
    st.subheader(plain(title), anchor=False)
    took = formatting.duration(now.seconds)
    ran = "for" if now.is_running else "after"
    st.caption(f"{ICONS[now.status]} {status} {ran} {took} · started {jobs.start_time(job)}")


def _stages(now: State, rest: float | None = None) -> None:
    """List the stages that have finished with their durations, and ``rest`` seconds in others."""
    cells = []
    for stage in now.finished:
        cells += [
            element("span", "✓", class_="tick"),
            element("span", stage.name),
            element("span", formatting.duration(stage.seconds)),
        ]
    if rest is not None:
        cells += [
            element("span"),
            element("span", REST, class_="rest"),
            element("span", formatting.duration(max(rest, 0.0)), class_="rest"),
        ]
    if cells:
        st.html(element("div", *cells, class_="stages"))


def _messages(now: State) -> None:
    if now.messages:
        lines = [join(line, element("br")) for line in now.messages[-4:]]
        st.html(element("div", *lines, class_="messages"))


def _warnings(now: State) -> None:
    for line in now.warnings[-3:]:
        st.warning(plain(line), icon=":material/warning:")


def _confirm(id: str | None) -> None:
    st.session_state[_CONFIRMING] = id


def _cancel(job: Job) -> None:
    jobs.cancel(job)
    _confirm(None)


def _forget(job: Job) -> None:
    jobs.delete_record(job)
    st.query_params.pop("job", None)

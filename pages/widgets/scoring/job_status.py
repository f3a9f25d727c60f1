"""A job on the screen: how far it is, what came of it, and those before it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Literal

import streamlit as st

from curation import formatting
from curation.errors import CurationError
from curation.jobs import jobs
from curation.jobs.jobs import Job, State, Status
from pages.widgets.app import shell
from pages.widgets.app.markdown import plain, show_error

# Seconds between two looks at a running job.
EVERY = 1.0
LISTED = 8
ICONS: dict[Status, str] = {
    "running": ":material/autorenew:",
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "cancelled": ":material/cancel:",
    "lost": ":material/help:",
}
REST = "Starting, loading the model, publishing"
_SURE = "sure_to_cancel"
_CSS = """<style>
.stages {display: grid; grid-template-columns: 1.4rem 1fr auto; row-gap: 3px; font-size: .92rem;
  font-variant-numeric: tabular-nums}
.stages span:nth-child(3n) {text-align: right}
.stages .tick {color: #009E73}
.stages .rest {opacity: .7}
.said {font-size: .84rem; opacity: .72; overflow-wrap: anywhere; line-height: 1.5}
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
    """A job: while it runs, looked at anew every second; once it is done, what ``done`` draws.

    Args:
        title: what it does, as in "Scoring into pairs".
        started: called with the new job when it is resumed; by default it comes into the URL.
    """
    st.html(_CSS)
    with st.container(border=True, key="job_status"):
        if jobs.is_running(job):
            st.fragment(_running, run_every=EVERY)(job, title)
        else:
            _ended(job, title, done, started or follow)


def follow(job: Job) -> None:
    """Have the URL say which job is looked at."""
    st.query_params["job"] = job.id


def history(looked_at: Job | None, choose: Callable[[Job], None] = follow) -> None:
    """The jobs there are, newest first; ``choose`` is called with the one that is clicked."""
    every = jobs.list_jobs(folder())
    if not every:
        return
    st.html(_CSS)
    st.subheader("Jobs", anchor=False)
    shown = len(every) if st.session_state.get("all_jobs") else LISTED
    with st.container(key="job_history"):
        for job in every[:shown]:
            _line(job, looked_at is not None and job.id == looked_at.id, choose)
    if len(every) > LISTED:
        st.toggle(f"Show all {formatting.count(len(every))}", key="all_jobs")


def _line(job: Job, is_looked_at: bool, choose: Callable[[Job], None]) -> None:
    now = jobs.read_state(job)
    told = f"{plain(job.workspace.name)} · {now.status} · {jobs.start_time(job)}"
    if not now.is_running:
        told += f" · {formatting.duration(now.seconds)}"
    st.button(
        f"**{told}**" if is_looked_at else told,
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
        # The whole page: what it made is to be seen everywhere.
        st.rerun(scope="app")
    _heading(job, title, now, "stopping" if now.stopping else "running")
    _stages(now)
    if now.stage:
        share = min(now.done / now.total, 1.0) if now.total else 0.0
        st.progress(share, f"**{plain(now.stage)}**")
        st.caption(how_far(now))
    else:
        st.progress(0.0, "Preparing the next stage …" if now.finished else "Starting …")
    _said(now)
    _warnings(now)
    if now.stopping:
        st.caption("Stopping after the current step (20 s at most)")
    elif st.session_state.get(_SURE) == job.id:
        st.write("Stop this job? Finished work is kept and the next run continues from there.")
        with st.container(horizontal=True):
            st.button(
                "Stop job", type="primary", icon=":material/stop:", on_click=_cancel, args=(job,)
            )
            st.button("Continue", on_click=_be_sure, args=(None,))
    else:
        st.button("Cancel", icon=":material/stop:", on_click=_be_sure, args=(job.id,))


def how_far(now: State) -> str:
    """30 of 60 samples · 72 samples/s · 12 s left in this stage"""
    told = [f"{formatting.count(now.done)} of {formatting.plural(now.total, now.unit)}"]
    if now.rate:
        rate = f"{now.rate:,.0f}" if now.rate >= 10 else f"{now.rate:.2g}"
        told.append(f"{rate} {now.unit}s/s")
    if now.remaining is not None:
        told.append(f"{formatting.duration(now.remaining)} left in this stage")
    return " · ".join(told)


def _ended(
    job: Job, title: str, done: Callable[[State], None] | None, started: Callable[[Job], None]
) -> None:
    now = jobs.read_state(job)
    _heading(job, title, now, now.status)
    where = f" Last stage: {plain(now.stage)}, {how_far(now)}." if now.stage else ""
    if now.status == "failed":
        st.error(plain(now.error), icon=":material/error:")
    elif now.status == "lost":
        st.warning(plain(f"{now.error}.".capitalize()) + where, icon=":material/help:")
    elif now.status == "cancelled":
        st.info(
            f"Stopped.{where} Finished work is kept; Resume continues from there.",
            icon=":material/cancel:",
        )
    if now.status != "done":
        # A callback's error has no place on the page; this one has.
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
    rows = "".join(
        f"<span class='tick'>✓</span><span>{escape(stage.name)}</span>"
        f"<span>{formatting.duration(stage.seconds)}</span>"
        for stage in now.finished
    )
    if rest is not None:
        rows += (
            f"<span></span><span class='rest'>{REST}</span>"
            f"<span class='rest'>{formatting.duration(max(rest, 0.0))}</span>"
        )
    if rows:
        st.html(f"<div class='stages'>{rows}</div>")


def _said(now: State) -> None:
    if now.said:
        lines = "<br>".join(escape(line) for line in now.said[-4:])
        st.html(f"<div class='said'>{lines}</div>")


def _warnings(now: State) -> None:
    for line in now.warnings[-3:]:
        st.warning(plain(line), icon=":material/warning:")


def _be_sure(id: str | None) -> None:
    st.session_state[_SURE] = id


def _cancel(job: Job) -> None:
    jobs.cancel(job)
    _be_sure(None)


def _forget(job: Job) -> None:
    jobs.delete_record(job)
    st.query_params.pop("job", None)

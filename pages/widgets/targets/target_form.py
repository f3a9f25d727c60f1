"""The form that adds a target, its command, and the job that runs the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from curation import extras, formatting
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.jobs import jobs
from curation.jobs.jobs import Job, State
from curation.models import devices
from curation.pipeline import recorded_model, targets
from curation.pipeline.targets import READY_MADE, TargetSource
from curation.scores.target_sides import TARGET_SIDE
from curation.storage import locations
from curation.storage.workspace import Workspace
from pages.widgets.app.markdown import plain, show_error
from pages.widgets.scoring import job_status
from pages.widgets.state.url import choose
from pages.widgets.state.url_text_field import text_field

_SIDES = {
    "": "Same as other targets",
    "image": "Images",
    "text": "Captions",
    "both": "Images and captions",
}
assert set(TARGET_SIDE.choices) == set(_SIDES) - {""}


def show(workspace: Workspace, catalog: Catalog) -> None:
    """The fields, and the button that starts the job."""
    left, right = st.columns([2, 3])
    with left:
        name = text_field(
            "Name",
            "new",
            placeholder="food",
            help="Becomes part of the column names, as in norm_sim_inf_food.",
        )
    with right:
        source = text_field(
            "Source",
            "from",
            placeholder="data/targets/food, class_names.txt, in1k.npy",
            help="Path on the server: a folder, table or tars of images; a .txt with one caption "
            "per line; or embeddings (.npy of images, .npz with image, text or both).",
        )
    with st.expander("Advanced", icon=":material/tune:"):
        options = _options(workspace, catalog)
    if not (name and source):
        st.caption(":material/info: Enter a name and a source.")
        st.button("Add target", type="primary", icon=":material/add:", disabled=True)
        return
    given = f"{name}={source}"
    # A leading dash would read as an option.
    argument = f"./{given}" if given.startswith("-") else given
    command = ["add-target", formatting.path(workspace.path), argument, *options]
    st.code(jobs.command(command), language="bash", wrap_lines=True)
    ready = True
    try:
        extras.require_embedding("Adding a target")
        _check(workspace, catalog, TargetSource.parse(given), options)
    except CurationError as error:
        ready = False
        show_error(error)
    if jobs.running_in(job_status.folder(), workspace.path) is not None:
        st.caption(":material/info: A job is writing into this workspace; wait until it ends.")
        ready = False
    if st.button("Add target", type="primary", icon=":material/add:", disabled=not ready):
        start(command, workspace)


def start(command: list[str], workspace: Workspace) -> None:
    """Run a command on this workspace as a job, and write the job into the URL."""
    try:
        job_status.follow(jobs.start(job_status.folder(), command, workspace.path))
    except CurationError as error:
        show_error(error)
    else:
        st.rerun()


def current_job(workspace: Workspace) -> Job | None:
    """The job on this workspace's targets that the URL names, or that is running."""
    folder, mine = job_status.folder(), workspace.path.resolve()
    wanted = st.query_params.get("job")
    named = None if wanted is None else jobs.find_job(folder, wanted)
    job = named or jobs.running_in(folder, workspace.path)
    return job if job is not None and job.workspace.resolve() == mine else None


def watch(job: Job, workspace: Workspace, done: Callable[[str], None]) -> None:
    """Show the status of a job.

    Args:
        done: draws the result; called with the name of the target that was added, or "".
    """
    verb = {"add-target": "Adding target", "remove-target": "Removing target"}
    name = job.arguments[2].partition("=")[0] if len(job.arguments) > 2 else ""
    kind = job.arguments[0]
    title = f"{verb[kind]} {name}" if kind in verb else f"Writing into {workspace.path.name}"

    def ended(state: State) -> None:
        done(name if kind == "add-target" else "")

    job_status.show(job, title, ended)


def _check(
    workspace: Workspace, catalog: Catalog, target: TargetSource, options: list[str]
) -> None:
    """Check a target, and show a note if one of its name exists.

    Raises:
        CurationError: the source does not exist, or no model is known that can embed it.
    """
    source = target.source
    if isinstance(source, Path) and not source.exists():
        raise CurationError(f"{source} does not exist on the server")
    needs_model = source.suffix.lower() not in READY_MADE and "--model" not in options
    model = catalog.dataset.model
    if recorded_model.is_ready_made(workspace, model) and needs_model:
        raise CurationError(
            f"this dataset's embeddings ({model}) were imported: give target embeddings (.npy or "
            ".npz), or name the model that made them under Advanced"
        )
    if target.name in workspace.targets():
        held = targets.info(workspace.target(target.name)).source
        if held == str(locations.resolve(source)):
            st.caption(f":material/info: {plain(target.name)} exists and will be read again.")
        else:
            st.caption(
                f":material/warning: {plain(target.name)} exists (from "
                f"{plain(formatting.path(held))}) and will be replaced."
            )


def _options(workspace: Workspace, catalog: Catalog) -> list[str]:
    """The arguments of the fields that differ from their defaults."""
    arguments: list[str] = []
    left, right = st.columns(2)
    with left:
        side = choose(st.selectbox, "Compare with", _SIDES, "against")
    with right:
        device = choose(st.selectbox, "Device", list(devices.CHOICES), "target_device")
    if side:
        arguments += ["--target-side", side]
    if device != "auto":
        arguments += ["--device", device]
    with left:
        model = text_field(
            "Model",
            "target_model",
            placeholder="same as dataset",
            help="Needed only with imported embeddings: the model that made them (ViT-L-14, or a "
            "folder).",
        )
    with right:
        tag = text_field(
            "Pretrained weights",
            "target_pretrained",
            placeholder="openai",
            help="A tag or a checkpoint file.",
        )
    if model:
        arguments += ["--model", model, *(["--pretrained", tag] if tag else [])]
    return arguments

"""What every page shares: the entry guard, the workspace, its catalog, the theme."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from curation import formatting, resources
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.selection.decisions import Decisions
from curation.storage.workspace import Workspace
from pages.widgets.app import html
from pages.widgets.app.markdown import code, show_error
from pages.widgets.state.url import choose

_WIDGETS = Path(__file__).resolve().parents[1]
ICON = Path(__file__).with_name("icon.png")

_ENTERED = "entered_by_app"
_DEEP_LINK = "deep_link"

# Every page has all styles: a style that arrived with a widget would lay out the page again.
_STYLES = "\n".join(
    (_WIDGETS / f"{name}.css").read_text(encoding="utf-8")
    for name in ("app/shell", "gallery/cards", "gallery/sample_cards")
)


def enter(page: str) -> None:
    """Go to app.py first if it did not run; every page begins with this call.

    A server whose first visit is a deep link runs the page's file without app.py, and then shows
    the wrong navigation to everyone.
    """
    if _ENTERED not in st.session_state:
        st.session_state[_DEEP_LINK] = (page, st.query_params.to_dict())
        st.switch_page("app.py")


def return_to_deep_link(pages: Mapping[str, Any]) -> None:
    """Go to the page of the deep link; app.py calls this once the navigation is set up."""
    st.session_state[_ENTERED] = True
    if _DEEP_LINK in st.session_state:
        page, parameters = st.session_state.pop(_DEEP_LINK)
        st.switch_page(pages[page], query_params=parameters)


def style() -> None:
    st.html(html.style(_STYLES))


def pick_workspace() -> None:
    """Show the workspace picker in the sidebar; the choice is in the URL as ``ws``."""
    names = list(_workspaces())
    with st.sidebar:
        if names:
            choose(st.selectbox, "Workspace", names, "ws", always=True)


def workspace() -> Workspace:
    """The current workspace; without one, the page says how to make one and stops."""
    workspaces = _workspaces()
    if not workspaces:
        st.title("No workspace yet")
        st.write("Score a dataset in the browser or on the command line.")
        st.page_link("pages/score.py", label="Score a dataset", icon=":material/bolt:")
        st.write("To try the app with the bundled sample:")
        st.code("clip-curation demo", language="bash")
        folders = ", ".join(code(formatting.path(root)) for root in roots())
        st.write(f"Workspace folders: {folders}. Reload this page afterwards.")
        st.stop()
    try:
        return Workspace.open(_picked(workspaces))
    except CurationError as error:
        show_error(error)
        st.stop()


def first_catalog() -> Catalog | None:
    """The catalog that a new visitor sees first; None where it is missing or damaged."""
    path = next(iter(_workspaces().values()), None)
    try:
        return None if path is None else opened(Workspace(path).catalog)
    except (FileNotFoundError, CurationError):
        return None


def catalog() -> Catalog:
    """The current catalog, opened once per process; without one, the page says why and stops."""
    path = workspace().catalog
    try:
        return opened(path)
    except FileNotFoundError:
        st.title("Not scored yet")
        st.write(
            f"Scoring of the workspace {code(path.parent.name)} has not finished. Run the same "
            "`clip-curation score` command again to continue."
        )
    except CurationError as error:
        show_error(error)
    st.stop()


def opened(path: Path) -> Catalog:
    """A catalog, opened once per process.

    Raises:
        FileNotFoundError: it does not exist.
        CurationError: it is damaged.
    """
    status = path.stat()
    # A catalog is replaced as a whole, so a new one has another inode.
    return _open(str(path), status.st_mtime_ns, status.st_ino)


def name_of(path: Path) -> str | None:
    """The name of the workspace at ``path`` in the picker; None where the picker lacks it."""
    resolved = path.resolve()
    return next((name for name, p in _workspaces().items() if p.resolve() == resolved), None)


def decisions() -> Decisions:
    return Decisions.of(workspace())


def is_dark() -> bool:
    return st.context.theme.type == "dark"


def dataset_facts(catalog: Catalog) -> None:
    """Show the dataset in two lines at the end of the sidebar."""
    about = catalog.dataset
    with st.sidebar:
        st.caption(
            f"{formatting.plural(about.samples, 'sample')}, "
            f"{formatting.count(about.skipped)} skipped  \n"
            f"model {code(about.model)}"
        )


@st.cache_resource(max_entries=4, show_spinner=False)
def _open(path: str, changed: int, inode: int) -> Catalog:
    return Catalog(Path(path))


def roots() -> list[Path]:
    """The folders that have workspaces; new workspaces and jobs go into the first."""
    return [Path(argument) for argument in sys.argv[1:]] or [resources.ROOT / "data" / "workspaces"]


def _picked(workspaces: Mapping[str, Path]) -> Path:
    return workspaces[st.session_state.get("ws") or next(iter(workspaces))]


def _workspaces() -> dict[str, Path]:
    """Workspaces by the name in the picker; only these can be opened."""
    workspaces: dict[str, Path] = {}
    for root in roots():
        for path in [root, *sorted(root.glob("*/"))]:
            if (path / "workspace.toml").is_file():
                name = path.resolve().name
                workspaces[name if name not in workspaces else str(path)] = path
    return workspaces

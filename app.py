"""The Streamlit entry: page config, navigation, the workspace picker.

Start it with ``streamlit run app.py``. Workspaces are looked for in ``data/workspaces``; name
other folders (workspaces, or folders of workspaces) after ``--``:
``streamlit run app.py -- /data/curation``.
"""

import streamlit as st

from pages.widgets import cuts, shell

st.set_page_config(
    page_title="CLIP Curation",
    page_icon=str(shell.ICON),
    layout="wide",
    menu_items={"about": "Choose image-text pairs by negCLIPLoss and NormSim (arXiv 2405.19547)."},
)

PAGES = {
    "quadrants": st.Page(
        "pages/quadrants.py", title="Quadrants", icon=":material/grid_view:", url_path="quadrants"
    ),
    "search": st.Page(
        "pages/search.py", title="Search", icon=":material/search:", url_path="search"
    ),
    "targets": st.Page(
        "pages/targets.py", title="Targets", icon=":material/my_location:", url_path="targets"
    ),
    "overview": st.Page(
        "pages/overview.py", title="Overview", icon=":material/bar_chart:", url_path="overview"
    ),
    "sample": st.Page(
        "pages/sample.py", title="Sample", icon=":material/image_search:", url_path="sample"
    ),
    "select": st.Page(
        "pages/select.py", title="Select", icon=":material/checklist:", url_path="select"
    ),
    "compare": st.Page(
        "pages/compare.py", title="Compare", icon=":material/compare_arrows:", url_path="compare"
    ),
    "marks": st.Page("pages/marks.py", title="Marks", icon=":material/done_all:", url_path="marks"),
    "export": st.Page(
        "pages/export.py", title="Export", icon=":material/download:", url_path="export"
    ),
    "score": st.Page("pages/score.py", title="Score", icon=":material/bolt:", url_path="score"),
}


def home() -> None:
    """The bare address; a default page has no address of its own, and Quadrants should."""
    st.switch_page(PAGES["quadrants"], query_params=st.query_params.to_dict())


HOME = st.Page(home, title="Home", default=True, visibility="hidden")

page = st.navigation([HOME, *PAGES.values()], position="top")
shell.return_to_deep_link(PAGES)
shell.style()
shell.pick_workspace()
if page.url_path in (HOME.url_path, "quadrants"):
    cuts.read_ahead()
page.run()

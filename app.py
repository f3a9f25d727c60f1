"""The Streamlit entry: page config, navigation, the workspace picker.

Start it with ``streamlit run app.py``. It shows the workspaces in ``data/workspaces``; to show
others, name workspaces or folders of workspaces after ``--``:
``streamlit run app.py -- /data/curation``.

Streamlit imports this file once, to serve ``app``, and runs it as a script whenever a visitor does
something.
"""

import streamlit as st

from pages.widgets.app.warmup import warm_up

# The address of each page, its title and its icon, in the order of the navigation.
PAGES = {
    "quadrants": ("Quadrants", "grid_view"),
    "search": ("Search", "search"),
    "targets": ("Targets", "my_location"),
    "overview": ("Overview", "bar_chart"),
    "sample": ("Sample", "image_search"),
    "select": ("Select", "checklist"),
    "compare": ("Compare", "compare_arrows"),
    "marks": ("Marks", "done_all"),
    "export": ("Export", "download"),
    "score": ("Score", "bolt"),
}


def run() -> None:
    """Run the page that a visitor is on."""
    # Imported here, so that the server starts before it.
    from pages.widgets.app import shell

    st.set_page_config(
        page_title="CLIP Curation",
        page_icon=str(shell.ICON),
        layout="wide",
        menu_items={
            "about": "Choose image-text pairs by negCLIPLoss and NormSim (arXiv 2405.19547)."
        },
    )
    pages = {
        name: st.Page(f"pages/{name}.py", title=title, icon=f":material/{icon}:", url_path=name)
        for name, (title, icon) in PAGES.items()
    }

    def home() -> None:
        """Show Quadrants at the bare address: a default page cannot have an address too."""
        st.switch_page(pages["quadrants"], query_params=st.query_params.to_dict())

    first = st.Page(home, title="Home", default=True, visibility="hidden")
    page = st.navigation([first, *pages.values()], position="top")
    shell.return_to_deep_link(pages)
    shell.style()
    shell.pick_workspace()
    page.run()


if __name__ == "__main__":
    run()
else:
    app = st.App(__file__, lifespan=warm_up)

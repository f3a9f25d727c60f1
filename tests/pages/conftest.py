"""Pages run by AppTest over the scored sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parent.parent.parent / "app.py"

Open = Callable[..., AppTest]


@pytest.fixture(scope="session", autouse=True)
def close_catalogs() -> Iterator[None]:
    """Close what the pages keep open, before the interpreter takes DuckDB away."""
    yield
    st.cache_resource.clear()


@pytest.fixture
def open_page(sample_workspaces: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a page at its address, with query parameters, as a first visit."""

    def open_(page: str, root: Path = sample_workspaces, **parameters: str) -> AppTest:
        monkeypatch.setattr("sys.argv", ["app.py", str(root)])
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.query_params.update({k: [v] for k, v in parameters.items()})
        # Before the first run AppTest derives the address from the file's name, as app.py does.
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception, app.exception
        return app

    return open_


def metrics(app: AppTest) -> dict[str, str]:
    """The page's metric tiles: label → value."""
    return {metric.label: metric.value for metric in app.metric}


def html(app: AppTest) -> str:
    """The page's HTML blocks, galleries among them."""
    return "".join(element.proto.body for element in app.get("html"))

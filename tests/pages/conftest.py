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
    """Open a page, with query parameters, as a first visit."""

    def opened(page: str, root: Path = sample_workspaces, **parameters: str) -> AppTest:
        monkeypatch.setattr("sys.argv", ["app.py", str(root)])
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.query_params.update({k: [v] for k, v in parameters.items()})
        app.run()
        if page != "quadrants":
            app.switch_page(f"pages/{page}.py").run()
        assert not app.exception, app.exception
        return app

    return opened


def metrics(app: AppTest) -> dict[str, str]:
    """What the tiles of a page say."""
    return {metric.label: metric.value for metric in app.metric}


def html(app: AppTest) -> str:
    """The HTML blocks of a page: its galleries, among others."""
    return "".join(element.proto.body for element in app.get("html"))

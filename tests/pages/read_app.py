"""What a page run by AppTest shows, read for assertions."""

from __future__ import annotations

import re

from streamlit.testing.v1 import AppTest

from tests.pages.conftest import html


def shown_uids(app: AppTest) -> list[str]:
    """The uids of the cards on the page, in their order."""
    return re.findall(r"data-uid='([0-9a-f]{32})'", html(app))


def query_parameters(app: AppTest) -> dict[str, str]:
    """The query parameters, each of which has one value."""
    items = app.query_params.items()
    return {name: value if isinstance(value, str) else value[0] for name, value in items}

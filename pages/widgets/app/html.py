"""HTML that is built from strings: every value is escaped.

Captions, column names and addresses come from strangers, so pages and widgets build HTML with
``element`` only, and never by formatting strings.
"""

from __future__ import annotations

import base64
from html import escape

_VOID = frozenset({"br", "img"})


class Html(str):
    """A string of HTML; ``element`` inserts it as it is and escapes every other string."""

    __slots__ = ()


def element(name: str, *children: object, **attributes: object) -> Html:
    """An element with escaped children and attributes.

    Args:
        children: what is inside; None is left out.
        attributes: ``class_`` for ``class``, ``data_uid`` for ``data-uid``; None is left out.
    """
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}='{escape(str(value))}'"
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{shown}>")
    return Html(f"<{name}{shown}>{join(*children)}</{name}>")


def join(*parts: object) -> Html:
    """The parts one after the other, escaped unless they are HTML; None is left out."""
    return Html(
        "".join(
            part if isinstance(part, Html) else escape(str(part))
            for part in parts
            if part is not None
        )
    )


def style(css: str) -> Html:
    """A style element. The CSS is not escaped, so it must not come from a dataset."""
    return Html(f"<style>{css}</style>")


def picture(jpeg: bytes, alt: str = "") -> Html:
    """A JPEG as an image inside the page, so that the browser fetches nothing."""
    return element("img", alt=alt, loading="lazy", src=data_url(jpeg))


def data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"

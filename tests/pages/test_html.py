"""HTML built from strings: everything but HTML is escaped."""

from __future__ import annotations

from pages.widgets.app.html import Html, element, join, picture

EVIL = "<b onclick='x'>&\"</b>"
ESCAPED = "&lt;b onclick=&#x27;x&#x27;&gt;&amp;&quot;&lt;/b&gt;"


def test_children_and_attributes_are_escaped() -> None:
    assert element("p", EVIL, title=EVIL) == f"<p title='{ESCAPED}'>{ESCAPED}</p>"


def test_elements_inside_an_element_are_kept() -> None:
    assert element("p", element("b", "x"), " & y") == "<p><b>x</b> &amp; y</p>"


def test_none_is_left_out() -> None:
    assert element("p", None, class_=None, data_uid="a") == "<p data-uid='a'></p>"
    assert join("a", None, Html("<br>")) == "a<br>"


def test_text_added_to_html_is_escaped_again() -> None:
    # Adding strings gives a plain string, so nothing unescaped slips through.
    assert element("p", Html("<br>") + EVIL) == f"<p>&lt;br&gt;{ESCAPED}</p>"


def test_a_picture_is_inside_the_page() -> None:
    shown = picture(b"\xff\xd8", "a 'cat'")
    assert shown.startswith("<img alt='a &#x27;cat&#x27;'")
    assert "src='data:image/jpeg;base64,/9g='" in shown
    assert "</img>" not in shown

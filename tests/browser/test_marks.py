"""Marks on the cards: by button and by key, undone, kept over a reload, and in what is exported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from curation import uids
from curation.catalog.catalog import Catalog
from curation.exporters import datacomp
from curation.selection.marks import Marks
from tests.browser.conftest import Copy, settled, shown_uids
from tests.browser.test_first_visit import set_threshold

# Every page's name is in the navigation.
WIDE = 1920


def card(page: Page, number: int) -> Locator:
    return page.locator("figure[data-uid]").nth(number)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def marked(page: Page, kind: str) -> Locator:
    return page.locator(f"figure[data-mark={kind}]")


def button(page: Page, number: int, name: str) -> Locator:
    card(page, number).hover()
    return card(page, number).get_by_role("button", name=name)


def test_marks_are_made_undone_and_exported(copy: Copy, tmp_path: Path) -> None:
    marks = Marks.of(copy.workspace)
    page = copy.visit("quadrants", width=WIDE, quadrant="low_low")
    samples = shown_uids(page)
    bar = page.locator(".marks-bar")

    button(page, 1, "Keep").click()
    expect(bar).to_contain_text(re.compile("kept 1", re.IGNORECASE))
    expect(bar).to_contain_text("1 kept by hand")
    expect(card(page, 1)).to_be_focused()
    # No wait between them: none may be lost.
    press(page, "ArrowRight", "d", "ArrowRight", "d", "ArrowRight", "k", "ArrowLeft", "k")
    expect(bar).to_contain_text("3 kept and 1 dropped by hand")
    assert marks.among(samples) == {
        samples[1]: "keep",
        samples[2]: "drop",
        samples[3]: "keep",
        samples[4]: "keep",
    }

    press(page, "u")
    expect(bar).to_contain_text("undone: kept 1")
    expect(marked(page, "drop")).to_have_count(2)
    press(page, "Control+Shift+z")
    expect(marked(page, "drop")).to_have_count(1)
    press(page, "Control+z")
    expect(marked(page, "drop")).to_have_count(2)
    bar.get_by_role("button", name="Redo").click()
    expect(marked(page, "drop")).to_have_count(1)

    page.reload()
    expect(marked(page, "keep")).to_have_count(3)
    expect(marked(page, "drop")).to_have_count(1)
    set_threshold(page, "x", "top", "20")
    keep, drop = marks.all()
    assert (len(keep), drop) == (3, (samples[2],))

    page.get_by_role("link", name="Export").click()
    expect(page.get_by_text("3 kept and 1 dropped by hand").first).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as started:
        page.get_by_role("button", name=re.compile(r"\.npy$")).click()
    started.value.save_as(tmp_path / "marked.npy")
    exported = set(uids.to_hex(datacomp.load(tmp_path / "marked.npy")).to_pylist())
    assert set(keep) <= exported
    assert exported.isdisjoint(drop)


def test_a_mark_leaves_the_page_where_it_is(copy: Copy) -> None:
    page = copy.visit("quadrants")
    page.evaluate("""() => {
        const cards = document.querySelector(".gallery");
        cards.dataset.same = "yes";
        window.drawn = 0;
        new MutationObserver(() => window.drawn++).observe(cards, {childList: true});
    }""")
    card(page, 20).scroll_into_view_if_needed()
    before = page.locator("[data-testid=stMain]").evaluate("main => main.scrollTop")
    assert before > 0
    card(page, 20).locator("figcaption").click()
    press(page, "d")
    expect(page.locator(".marks-bar.active")).to_be_in_viewport()
    settled(page)
    assert page.locator("[data-testid=stMain]").evaluate("main => main.scrollTop") == before
    expect(card(page, 20)).to_be_focused()
    expect(page.locator(".gallery[data-same=yes]")).to_have_count(1)
    assert page.evaluate("window.drawn") == 0


def test_pressed_again_a_button_takes_the_mark_away(copy: Copy) -> None:
    page = copy.visit("overview")
    for count in (1, 0):
        button(page, 0, "Drop").click()
        expect(marked(page, "drop")).to_have_count(count)
    expect(page.locator(".marks-bar")).to_contain_text(re.compile("unmarked 1", re.IGNORECASE))
    assert Marks.of(copy.workspace).counts() == {"keep": 0, "drop": 0}


def test_keys_go_from_card_to_card(copy: Copy) -> None:
    page = copy.visit("quadrants")
    card(page, 0).focus()
    press(page, "ArrowRight", "ArrowRight")
    expect(card(page, 2)).to_be_focused()
    across = page.locator("figure[data-uid]").evaluate_all(
        "all => all.filter(card => card.offsetTop === all[0].offsetTop).length"
    )
    press(page, "ArrowDown")
    expect(card(page, 2 + across)).to_be_focused()
    press(page, "ArrowUp", "ArrowUp")
    expect(card(page, 2)).to_be_focused()
    # The Tab key goes to what the card offers, and then past the other cards.
    press(page, "Tab")
    expect(card(page, 2).get_by_role("link")).to_be_focused()
    press(page, "Tab")
    expect(card(page, 2).get_by_role("button", name="Keep")).to_be_focused()
    press(page, "Space")
    expect(card(page, 2)).to_have_attribute("data-mark", "keep")
    expect(page.get_by_role("figure", name="manually kept")).to_have_count(1)
    expect(page.get_by_role("status").filter(has_text="1 kept by hand")).to_have_count(1)
    card(page, 2).get_by_role("button", name="Drop").focus()
    press(page, "Tab")
    expect(page.locator(".marks-bar button")).to_be_focused()


def test_keys_elsewhere_mark_nothing(copy: Copy) -> None:
    like = Catalog.of(copy.workspace).rows([0])[0]["uid"]
    page = copy.visit("search", like=like)
    card(page, 0).locator("figcaption").click()
    press(page, "k")
    expect(marked(page, "keep")).to_have_count(1)
    field = page.get_by_label("Sample", exact=True)
    field.focus()
    press(page, "End", "Backspace", "d", "k", "u")
    expect(field).to_have_value(f"{like[:-1]}dku")
    # The field's own undo.
    press(page, "Control+z")
    expect(field).not_to_have_value(f"{like[:-1]}dku")
    settled(page)
    assert Marks.of(copy.workspace).counts() == {"keep": 1, "drop": 0}
    assert len(Marks.of(copy.workspace).log()) == 1


def test_another_window_is_believed(copy: Copy) -> None:
    first, second = (copy.visit("overview") for _ in range(2))
    here, there = (page.locator("figure[data-uid]").first for page in (first, second))
    here.locator("figcaption").click()
    press(first, "k")
    expect(first.locator(".marks-bar")).to_contain_text("1 kept by hand")
    # The other window does not know of it yet, and hears of it with what is done there.
    there.locator("figcaption").click()
    press(second, "ArrowRight", "d")
    expect(marked(second, "keep")).to_have_count(1)
    press(second, "u", "u")
    expect(second.locator(".marks-bar")).to_contain_text("undone: kept 1")
    expect(marked(second, "keep")).to_have_count(0)
    # Here it still looks kept; the key means what it says.
    press(first, "k")
    expect(second.locator("figure[data-uid]").first).to_be_visible()
    expect(first.locator(".marks-bar")).to_contain_text("1 kept by hand")
    settled(first)
    assert Marks.of(copy.workspace).counts() == {"keep": 1, "drop": 0}


def test_a_card_opens_in_a_tab_of_its_own(copy: Copy) -> None:
    page = copy.visit("overview")
    uid = card(page, 1).get_attribute("data-uid")
    with page.context.expect_page() as opened:
        card(page, 1).get_by_role("link").click(modifiers=["ControlOrMeta"])
    expect(opened.value).to_have_url(re.compile(f"/sample\\?.*uid={uid}"))
    assert "/overview" in page.url


def test_what_was_done_in_one_gallery_is_undone_in_another(copy: Copy) -> None:
    page = copy.visit("quadrants", shown="line")
    first, second = (page.locator(".gallery").nth(n).locator("figure").first for n in (0, 1))
    for gallery in (first, second):
        gallery.locator("figcaption").click()
        press(page, "k")
        expect(page.locator(".marks-bar.active")).to_have_count(1)
    expect(marked(page, "keep")).to_have_count(2)
    for bar in page.locator(".marks-bar").all():
        expect(bar).to_contain_text("2 kept by hand")
    first.focus()
    press(page, "u")
    expect(marked(page, "keep")).to_have_count(1)
    expect(first).to_have_attribute("data-mark", "keep")


@pytest.mark.parametrize("way", ["click", "Enter"])
def test_a_card_opens_its_sample_in_the_same_session(copy: Copy, way: str) -> None:
    page = copy.visit("quadrants")
    page.evaluate("window.same = true")
    uid = shown_uids(page)[3]
    if way == "click":
        link = card(page, 3).get_by_role("link")
        href = f"/sample?uid={uid}&ws={copy.workspace.path.name}"
        assert href in str(link.get_attribute("href"))
        link.click()
    else:
        card(page, 3).focus()
        press(page, "Enter")
    expect(page).to_have_url(re.compile(f"/sample\\?.*uid={uid}"))
    assert f"ws={copy.workspace.path.name}" in page.url
    assert page.evaluate("window.same")
    settled(page)


def test_the_marks_page_reverts_and_clears(copy: Copy) -> None:
    page = copy.visit("quadrants", width=WIDE)
    samples = shown_uids(page)
    Marks.of(copy.workspace).mark(samples[:3], "drop")
    page.get_by_role("link", name="Marks").click()
    rows = page.locator(".marked-row")
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="Revert").first.click()
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Clear all").click()
    page.get_by_role("button", name="Clear all marks").click()
    expect(page.get_by_text("No samples are marked")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(2)
    page.get_by_text("Log", exact=True).click()
    # Three dropped, one taken away, two cleared, and these two brought back.
    expect(page.locator(".marked-row.line")).to_have_count(8)
    settled(page)
    page.get_by_role("button", name="Revert").first.click()
    expect(page.locator(".marked-row.line")).to_have_count(9)

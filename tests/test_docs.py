"""README and docs/ name what exists: formats, commands, options, links."""

import re
from pathlib import Path

import click
import pytest

from curation.cli.main import cli
from curation.exporters import EXPORTERS
from curation.readers import READERS

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / name
    for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md", "data/README.md")
]
PAGES += sorted((ROOT / "docs").glob("*.md"))


def first_column(page, header):
    """The first column of the table with this header row."""
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = text.split(f"{header}\n|---|---|\n")[1].splitlines()
    return [row.split("|")[1].strip() for row in rows[: rows.index("")]]


def test_every_reader_is_documented_in_the_order_of_recognition():
    assert first_column("docs/formats.md", "| format | files |") == list(READERS)


def test_every_exporter_is_documented():
    assert first_column("docs/recipes.md", "| format | output |") == list(EXPORTERS)


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_to_a_file_and_a_heading(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def commands():
    """Every ``clip-curation`` command line in a code block, its continuation lines joined."""
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("clip-curation "):
                    yield line.partition(" #")[0].split()


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_documented_commands_and_options_exist(words):
    command = cli.get_command(click.Context(cli), words[1])
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known

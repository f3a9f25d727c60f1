"""The README's tables of formats name what there is."""

from pathlib import Path

from curation.exporters import EXPORTERS
from curation.readers import READERS

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def formats(heading):
    """The first column of the table with these columns."""
    rows = README.split(f"| format | {heading} |\n|---|---|\n")[1].splitlines()
    table = rows[: rows.index("")]
    return [row.split("|")[1].strip() for row in table]


def test_every_reader_is_in_the_readme_in_the_order_in_which_they_are_asked():
    assert formats("what lies there") == list(READERS)


def test_every_exporter_is_in_the_readme():
    assert formats("what it writes") == list(EXPORTERS)

import ast
from pathlib import Path

import pytest

from curation import scores
from curation.scores import SCORES
from curation.scores.base import check_parameters


def test_every_file_that_defines_a_score_is_registered():
    defining = set()
    for file in Path(scores.__file__).parent.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assigned = (node.target for node in tree.body if isinstance(node, ast.AnnAssign))
        if "SCORE" in {target.id for target in assigned if isinstance(target, ast.Name)}:
            defining.add(file.stem)
    assert defining == set(SCORES)


@pytest.mark.parametrize("name", SCORES)
def test_a_score_has_the_name_of_its_file_and_declares_distinct_columns(name):
    score = SCORES[name]
    assert score.name == name
    columns = score.columns(check_parameters(score, {}), ["animals", "food"])
    names = [column.name for column in columns]
    assert len(set(names)) == len(names) > 0
    assert {column.of for column in columns} - {None} <= set(names)
    assert score.passes(check_parameters(score, {})) >= 1

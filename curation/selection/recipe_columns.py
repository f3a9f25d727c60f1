"""Which columns a recipe refers to, and which saved selections a column matters to."""

from __future__ import annotations

import ast
from collections.abc import Collection

from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe, ScoreStep, WhereStep


def columns(recipe: Recipe) -> set[str]:
    """The columns that a recipe's own steps name; a condition that does not parse names none."""
    found: set[str] = set()
    for step in recipe.steps:
        if isinstance(step, ScoreStep):
            found.add(step.score)
        elif isinstance(step, WhereStep):
            found |= _names(step.condition)
    return found


def selections_by(decisions: Decisions, named: Collection[str]) -> dict[str, list[str]]:
    """The saved selections that refer to any of these columns: to which, by their names."""
    found = {}
    for name in decisions.selections():
        recipe = decisions.recipe(name)
        if recipe is not None and (shared := sorted(columns(recipe) & set(named))):
            found[name] = shared
    return found


def _names(condition: str) -> set[str]:
    try:
        tree = ast.parse(condition.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}

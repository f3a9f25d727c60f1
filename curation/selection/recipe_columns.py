"""Which columns a recipe reads, and which saved selections read given columns."""

from __future__ import annotations

import ast
from collections.abc import Collection

from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe, ScoreStep, WhereStep


def columns(recipe: Recipe) -> set[str]:
    """The names of the columns in a recipe's own steps, not in the selections it refers to.

    A condition that does not parse contributes none.
    """
    names: set[str] = set()
    for step in recipe.steps:
        if isinstance(step, ScoreStep):
            names.add(step.score)
        elif isinstance(step, WhereStep):
            names |= _names_in(step.condition)
    return names


def selections_using(decisions: Decisions, names: Collection[str]) -> dict[str, list[str]]:
    """The saved selections that read any of these columns, each with those it reads, sorted."""
    used = {one.name: columns(one.recipe) & set(names) for one in decisions.saved_selections()}
    return {selection: sorted(shared) for selection, shared in used.items() if shared}


def _names_in(condition: str) -> set[str]:
    try:
        tree = ast.parse(condition.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}

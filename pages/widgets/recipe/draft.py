"""The recipe that is being edited: its history, for undo, and its place in the URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

import streamlit as st

from curation.errors import CurationError
from curation.selection.marks import Marks
from curation.selection.recipe import Recipe, Step
from pages.widgets.app import shell

NAME = "my_selection"
# What a browser and a chat message take without cutting it.
LONGEST = 4000
_MOST_UIDS = 100
_MOST_UNDONE = 200
_KEYS = count(1)

_HISTORY = "draft_history"
_TOLD = "draft_told"
_PROBLEM = "draft_problem"

Uids = tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A step; its key outlives edits and moves, so that its widgets stay its own."""

    step: Step
    key: int = field(default_factory=lambda: next(_KEYS))


@dataclass(frozen=True)
class Draft:
    """A recipe on its way.

    Attributes:
        keep, drop: uids that the recipe brought along.
        with_marks: whether the marks by hand go into it, too.
    """

    name: str = NAME
    lines: tuple[Line, ...] = ()
    keep: Uids = ()
    drop: Uids = ()
    with_marks: bool = True

    @classmethod
    def of(cls, recipe: Recipe, with_marks: bool) -> Draft:
        lines = tuple(Line(step) for step in recipe.steps)
        return cls(recipe.name, lines, recipe.keep, recipe.drop, with_marks)

    def recipe(self, marked: tuple[Uids, Uids] = ((), ())) -> Recipe:
        """The recipe, with marks by hand; where they contradict its own uids, they hold."""
        steps = tuple(line.step for line in self.lines)
        keep, drop = marked if self.with_marks else ((), ())
        if not (keep or drop):
            return Recipe(self.name, steps, self.keep, self.drop)
        kept = {*self.keep} - {*drop} | {*keep}
        dropped = {*self.drop} - {*keep} | {*drop}
        return Recipe(self.name, steps, tuple(sorted(kept)), tuple(sorted(dropped)))

    def named(self, name: str) -> Draft:
        return replace(self, name=name)

    def place(self, key: int) -> int:
        return next(n for n, line in enumerate(self.lines) if line.key == key)

    def with_step(self, key: int, step: Step) -> Draft:
        lines = (replace(line, step=step) if line.key == key else line for line in self.lines)
        return replace(self, lines=tuple(lines))

    def without(self, key: int) -> Draft:
        return replace(self, lines=tuple(line for line in self.lines if line.key != key))

    def added(self, step: Step, place: int) -> Draft:
        """With a new step before the one at this place."""
        return replace(self, lines=(*self.lines[:place], Line(step), *self.lines[place:]))

    def moved(self, key: int, by: int) -> Draft:
        lines, place = list(self.lines), self.place(key)
        lines.insert(max(place + by, 0), lines.pop(place))
        return replace(self, lines=tuple(lines))


@dataclass(frozen=True)
class History:
    """The drafts of a session, oldest first, and which of them is shown."""

    drafts: tuple[Draft, ...] = (Draft(),)
    at: int = 0

    @property
    def now(self) -> Draft:
        return self.drafts[self.at]

    def changed(self, draft: Draft) -> History:
        """With another draft; what was undone cannot be done again."""
        if draft == self.now:
            return self
        drafts = (*self.drafts[: self.at + 1], draft)[-_MOST_UNDONE:]
        return History(drafts, len(drafts) - 1)

    def moved(self, by: int) -> History:
        return replace(self, at=min(max(self.at + by, 0), len(self.drafts) - 1))


def history() -> History:
    """This session's; a link that is opened is its beginning, or its last change."""
    asked = st.query_params.get("recipe")
    told: set[str] = st.session_state.setdefault(_TOLD, set())
    # What this session put there itself may be older than what was done since.
    if asked and asked not in told:
        told.add(asked)
        try:
            recipe = Recipe.unpack(asked, "the recipe in the address")
            start(recipe, st.query_params.get("marks") != "off")
        except CurationError as error:
            st.session_state[_PROBLEM] = error
    if _HISTORY not in st.session_state:
        first = Draft(with_marks=st.query_params.get("marks") != "off")
        st.session_state[_HISTORY] = History((first,))
    found: History = st.session_state[_HISTORY]
    return found


def problem_of_link() -> CurationError | None:
    """What was wrong with the link that was opened; told once."""
    found: CurationError | None = st.session_state.pop(_PROBLEM, None)
    return found


def start(recipe: Recipe, with_marks: bool) -> None:
    """Go on from another recipe."""
    draft = Draft.of(recipe, with_marks)
    before: History | None = st.session_state.get(_HISTORY)
    st.session_state[_HISTORY] = History((draft,)) if before is None else before.changed(draft)


def change(edit: Callable[[Draft], Draft]) -> None:
    st.session_state[_HISTORY] = history().changed(edit(history().now))


def move(by: int) -> None:
    """Undo (−1) or redo (1)."""
    st.session_state[_HISTORY] = history().moved(by)


def text() -> str:
    """The draft as YAML, for another page to begin with; empty where there is none yet."""
    found: History | None = st.session_state.get(_HISTORY)
    if found is None or not (found.now.lines or found.now.keep or found.now.drop):
        return ""
    return found.now.recipe(Marks.of(shell.workspace()).all()).to_yaml()


def tell(draft: Draft) -> bool:
    """Put the draft into the URL; False where it is too long for it."""
    _set("marks", None if draft.with_marks else "off")
    recipe = draft.recipe()
    if recipe == Recipe(NAME):
        _set("recipe", None)
        return True
    # A long list of uids is left out: the steps alone say more than a link that nobody can send.
    if len(recipe.keep) + len(recipe.drop) > _MOST_UIDS:
        recipe = replace(recipe, keep=(), drop=())
    packed = recipe.packed()
    fits = len(packed) <= LONGEST
    if fits:
        st.session_state[_TOLD].add(packed)
    _set("recipe", packed if fits else None)
    return fits


def _set(key: str, value: str | None) -> None:
    if value is None:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != value:
        st.query_params[key] = value

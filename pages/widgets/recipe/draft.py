"""The recipe that is being edited: its undo history and its query parameter."""

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
# Characters of a link that browsers and chats do not cut.
LONGEST = 4000
_MOST_UIDS = 100
_MOST_UNDONE = 200
_KEYS = count(1)

_HISTORY = "draft_history"
_IN_URL = "draft_in_url"
_LINK_ERROR = "draft_link_error"

Uids = tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A step with a key that survives edits and moves, so that its widgets keep their state."""

    step: Step
    key: int = field(default_factory=lambda: next(_KEYS))


@dataclass(frozen=True)
class Draft:
    """A recipe that is being edited.

    Attributes:
        keep, drop: the uids in the recipe itself.
        with_marks: whether the workspace's marks apply as well.
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
        """The recipe with marks, which override its own uids.

        Args:
            marked: the uids marked keep, and those marked drop.
        """
        steps = tuple(line.step for line in self.lines)
        keep, drop = marked if self.with_marks else ((), ())
        if not (keep or drop):
            return Recipe(self.name, steps, self.keep, self.drop)
        kept = {*self.keep} - {*drop} | {*keep}
        dropped = {*self.drop} - {*keep} | {*drop}
        return Recipe(self.name, steps, tuple(sorted(kept)), tuple(sorted(dropped)))

    def named(self, name: str) -> Draft:
        return replace(self, name=name)

    def index(self, key: int) -> int:
        """The position of the step with this key."""
        return next(n for n, line in enumerate(self.lines) if line.key == key)

    def with_step(self, key: int, step: Step) -> Draft:
        lines = (replace(line, step=step) if line.key == key else line for line in self.lines)
        return replace(self, lines=tuple(lines))

    def without(self, key: int) -> Draft:
        return replace(self, lines=tuple(line for line in self.lines if line.key != key))

    def with_new_step(self, step: Step, index: int) -> Draft:
        """The draft with a new step before the one at this index."""
        return replace(self, lines=(*self.lines[:index], Line(step), *self.lines[index:]))

    def moved(self, key: int, by: int) -> Draft:
        lines, index = list(self.lines), self.index(key)
        lines.insert(max(index + by, 0), lines.pop(index))
        return replace(self, lines=tuple(lines))


@dataclass(frozen=True)
class History:
    """The drafts of a session, oldest first, and the position of the one that is shown."""

    drafts: tuple[Draft, ...] = (Draft(),)
    position: int = 0

    @property
    def current(self) -> Draft:
        return self.drafts[self.position]

    def changed(self, draft: Draft) -> History:
        """The history after an edit; undone drafts are dropped."""
        if draft == self.current:
            return self
        drafts = (*self.drafts[: self.position + 1], draft)[-_MOST_UNDONE:]
        return History(drafts, len(drafts) - 1)

    def moved(self, by: int) -> History:
        return replace(self, position=min(max(self.position + by, 0), len(self.drafts) - 1))


def history() -> History:
    """The history of this session; a link that is opened begins it or becomes its last edit."""
    packed = st.query_params.get("recipe")
    written: set[str] = st.session_state.setdefault(_IN_URL, set())
    # A recipe that this session wrote there itself may be older than the draft.
    if packed and packed not in written:
        written.add(packed)
        try:
            recipe = Recipe.unpack(packed, "the recipe in the address")
            start(recipe, st.query_params.get("marks") != "off")
        except CurationError as error:
            st.session_state[_LINK_ERROR] = error
    if _HISTORY not in st.session_state:
        first = Draft(with_marks=st.query_params.get("marks") != "off")
        st.session_state[_HISTORY] = History((first,))
    history: History = st.session_state[_HISTORY]
    return history


def pop_link_error() -> CurationError | None:
    """Why the link that was opened could not be read; returned once."""
    error: CurationError | None = st.session_state.pop(_LINK_ERROR, None)
    return error


def start(recipe: Recipe, with_marks: bool) -> None:
    """Continue from another recipe."""
    draft = Draft.of(recipe, with_marks)
    before: History | None = st.session_state.get(_HISTORY)
    st.session_state[_HISTORY] = History((draft,)) if before is None else before.changed(draft)


def change(edit: Callable[[Draft], Draft]) -> None:
    st.session_state[_HISTORY] = history().changed(edit(history().current))


def move(by: int) -> None:
    """Undo (−1) or redo (1)."""
    st.session_state[_HISTORY] = history().moved(by)


def to_yaml() -> str:
    """The draft with its marks as YAML; empty where there is none yet."""
    history: History | None = st.session_state.get(_HISTORY)
    if history is None:
        return ""
    draft = history.current
    if not (draft.lines or draft.keep or draft.drop):
        return ""
    return draft.recipe(Marks.of(shell.workspace()).all()).to_yaml()


def write_to_url(draft: Draft) -> bool:
    """Write the draft into the URL; False where it is too long for a link."""
    _set("marks", None if draft.with_marks else "off")
    recipe = draft.recipe()
    if recipe == Recipe(NAME):
        _set("recipe", None)
        return True
    # Long uid lists are left out, so that the steps still fit into a link.
    if len(recipe.keep) + len(recipe.drop) > _MOST_UIDS:
        recipe = replace(recipe, keep=(), drop=())
    packed = recipe.packed()
    fits = len(packed) <= LONGEST
    if fits:
        st.session_state[_IN_URL].add(packed)
    _set("recipe", packed if fits else None)
    return fits


def _set(key: str, value: str | None) -> None:
    if value is None:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != value:
        st.query_params[key] = value

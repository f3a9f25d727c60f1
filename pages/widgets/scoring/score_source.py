"""The field for the source to score, and the format that is recognized."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from curation import formatting
from curation.errors import CurationError
from curation.readers import Options, open_source
from curation.readers.base import BringsEmbeddings
from curation.storage import locations
from pages.widgets.app.markdown import plain
from pages.widgets.state.url_text_field import text_field, tidy

# The source that was checked. A link alone must not make the server read an address.
_CHECKED = "score_checked_source"


@dataclass(frozen=True)
class Recognized:
    """The format of a source, or why it is not recognized.

    Attributes:
        reader: the name of the reader.
        about: what the reader says of the source.
        shards: how many shards the source has.
        features: the name of the embeddings that the source brings.
        error: why it is not recognized, or "".
    """

    reader: str = ""
    about: str = ""
    shards: int = 0
    features: str = ""
    error: str = ""


def source_field() -> str:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = text_field(
            "Source",
            "source",
            changed=check,
            placeholder="/data/pairs, pairs.parquet, s3://…",
            help="Server path or fsspec URL of a folder of images, a table, tars, a Hugging Face "
            "dataset, or DataComp or clip-retrieval metadata.",
        )
        st.button("Check source", icon=":material/visibility:", on_click=check, args=(True,))
    return source


def check(again: bool = False) -> None:
    """Check the source: called by an edit of the field, and by the button."""
    st.session_state[_CHECKED] = st.session_state["score_source"]
    if again:
        _recognize.clear()


def recognize(source: str, options: dict[str, str]) -> Recognized | None:
    """Show what the source is; None where it has not been checked yet."""
    if not source:
        return None
    if tidy(st.session_state.get(_CHECKED, "")) != source:
        st.caption(":material/visibility: Click Check source to detect its format.")
        return None
    recognized = _recognize(source, tuple(sorted(options.items())))
    if recognized.error:
        st.error(plain(recognized.error))
        return recognized
    shards = formatting.plural(recognized.shards, "shard")
    st.caption(
        f":material/check: Read as **{recognized.reader}**, {shards} ({plain(recognized.about)})"
    )
    if recognized.features:
        st.caption(
            f"Uses the embeddings of the source ({plain(recognized.features)}); a model is needed "
            "only for targets given as images or captions."
        )
    return recognized


@st.cache_resource(ttl=600, max_entries=64, show_spinner="Checking the source …")
def _recognize(source: str, options: tuple[tuple[str, str], ...]) -> Recognized:
    given = dict(options)
    root, size = given.get("image_root"), given.get("shard_size", "10000")
    if not size.isdecimal() or not int(size):
        return Recognized(error=f"shard size is {size!r}; expected a whole number > 0")
    try:
        reader = open_source(
            locations.parse(source),
            given.get("reader", "auto"),
            Options(
                image_column=given.get("image_column"),
                caption_column=given.get("caption_column"),
                uid_column=given.get("uid_column"),
                image_root=locations.parse(root) if root else None,
                shard_size=int(size),
                features=given.get("features"),
            ),
        )
        features = reader.features if isinstance(reader, BringsEmbeddings) else ""
        return Recognized(reader.name, reader.description, len(reader.shards()), features)
    except (CurationError, OSError) as error:
        return Recognized(error=str(error))

"""The source to score: its field, and what it is recognized as."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from curation import formatting
from curation.errors import CurationError
from curation.readers import Options, open_source
from curation.readers.base import BringsEmbeddings
from curation.storage import locations
from pages.widgets.app.markdown import plain
from pages.widgets.state.url_text_field import field, tidy

# What has been looked at; a link alone must not make this server read an address.
_LOOKED = "score_looked_at"


@dataclass(frozen=True)
class Found:
    """What a source is recognized as; an error where it is not."""

    reader: str = ""
    about: str = ""
    shards: int = 0
    # The name of the embeddings that it brings.
    features: str = ""
    error: str = ""


def source_field() -> str:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = field(
            "Source",
            "source",
            changed=look,
            placeholder="/data/pairs, pairs.parquet, s3://…",
            help="Server path or fsspec URL of a folder of images, a table, tars, a Hugging Face "
            "dataset, or DataComp or clip-retrieval metadata.",
        )
        st.button("Check source", icon=":material/visibility:", on_click=look, args=(True,))
    return source


def look(again: bool = False) -> None:
    """Someone asked for it: an edit, or the button."""
    st.session_state[_LOOKED] = st.session_state["score_source"]
    if again:
        _recognized.clear()


def recognize(source: str, options: dict[str, str]) -> Found | None:
    """Say what the source is; None where nobody has asked yet."""
    if not source:
        return None
    if tidy(st.session_state.get(_LOOKED, "")) != source:
        st.caption(":material/visibility: Click Check source to detect its format.")
        return None
    found = _recognized(source, tuple(sorted(options.items())))
    if found.error:
        st.error(plain(found.error))
        return found
    st.caption(
        f":material/check: Read as **{found.reader}**, {formatting.plural(found.shards, 'shard')} "
        f"({plain(found.about)})"
    )
    if found.features:
        st.caption(
            f"Uses the embeddings of the source ({plain(found.features)}); a model is needed only "
            "for targets given as images or captions."
        )
    return found


@st.cache_resource(ttl=600, max_entries=64, show_spinner="Checking the source …")
def _recognized(source: str, options: tuple[tuple[str, str], ...]) -> Found:
    given = dict(options)
    root, size = given.get("image_root"), given.get("shard_size", "10000")
    if not size.isdecimal() or not int(size):
        return Found(error=f"shard size is {size!r}; expected a whole number > 0")
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
        return Found(reader.name, reader.description, len(reader.shards()), features)
    except (CurationError, OSError) as error:
        return Found(error=str(error))

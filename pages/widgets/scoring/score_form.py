"""Fields of the ``score`` command: model, targets and source; each returns its arguments."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

import streamlit as st

from curation.errors import CurationError
from curation.models import devices, encoder
from curation.pipeline import targets
from curation.readers import READERS
from pages.widgets.state.url import choose
from pages.widgets.state.url_text_field import text_field, tidy, write_to_url

MODELS = {
    "small": "Bundled demo model",
    "open_clip": "open_clip",
    "folder": "Local model",
}
# Option, label, placeholder and help of each field for reading the source.
READING = (
    (
        "caption_column",
        "Caption column",
        "auto-detected",
        "A table column, or a field of a tar's .json.",
    ),
    (
        "image_column",
        "Image column",
        "auto-detected",
        "A table column with paths, URLs or bytes; for tars, the image extension.",
    ),
    ("uid_column", "Uid column", "auto-detected", "A column with uids (32 hex digits)."),
    (
        "image_root",
        "Image root",
        "the table's folder",
        "Folder to which a table's image paths are relative.",
    ),
    (
        "shard_size",
        "Shard size",
        "10000",
        "Samples per shard, the unit of work. A stopped run loses at most one shard.",
    ),
    (
        "features",
        "Features",
        "l14, clip",
        "DataComp embeddings: l14 or b32; or a name for clip-retrieval embeddings.",
    ),
)
_ROWS = "score_target_rows"


def model() -> list[str]:
    """The arguments for the model.

    Raises:
        CurationError: it is not named, or does not exist.
    """
    kind = choose(st.segmented_control, "Model", MODELS, "model_from", required=True)
    if kind == "small":
        st.caption("A demo model trained on clip art; use an open_clip model for photographs.")
        return []
    if kind == "folder":
        path = text_field(
            "Model folder",
            "model",
            placeholder="models/mine",
            help=f"Contains {encoder.CONFIG_FILE} and the weights.",
        )
        if not path:
            raise CurationError("enter the model folder")
        if not (Path(path) / encoder.CONFIG_FILE).is_file():
            raise CurationError(f"{path} has no {encoder.CONFIG_FILE}")
        return ["--model", path]
    left, right = st.columns(2)
    with left:
        known = architectures()
        name = text_field(
            "Architecture",
            "model",
            placeholder="ViT-L-14",
            help=f"One of open_clip's {len(known)} architectures, or hf-hub:…",
        )
    with right:
        tag = text_field(
            "Pretrained weights",
            "pretrained",
            placeholder="openai",
            help="A tag (openai, dfn2b_s39b, …) or a checkpoint file.",
        )
    if not name:
        raise CurationError("enter the model architecture, such as ViT-L-14")
    if ":" not in name and "/" not in name and name not in known:
        similar = [n for n in known if n.lower().startswith(name.lower()[:5])][:6]
        hint = f"; similar: {', '.join(similar)}" if similar else ""
        raise CurationError(f"open_clip has no architecture {name!r}{hint}")
    if not tag and ":" not in name:
        raise CurationError(
            "enter the pretrained weights: a tag such as openai, or a checkpoint file"
        )
    return ["--model", name, *(["--pretrained", tag] if tag else [])]


@st.cache_data(show_spinner=False)
def architectures() -> list[str]:
    """The architectures of open_clip, read without importing it and torch."""
    spec = importlib.util.find_spec("open_clip")
    folders = (spec and spec.submodule_search_locations) or []
    return sorted(f.stem for folder in folders for f in Path(folder).glob("model_configs/*.json"))


def target_rows() -> list[str]:
    """The arguments for the targets: rows with a name and a source; empty rows are ignored.

    Raises:
        CurationError: a name or a source is invalid.
    """
    if _ROWS not in st.session_state:
        linked = [text.partition("=")[::2] for text in st.query_params.get_all("target")]
        st.session_state[_ROWS] = list(range(max(len(linked), 1)))
        for row, (name, source) in enumerate(linked):
            st.session_state[f"target_name_{row}"] = name
            st.session_state[f"target_source_{row}"] = source
    rows: list[int] = st.session_state[_ROWS]
    st.markdown(
        "Targets",
        help="What the model should be good at, for NormSim: a folder, table or tars of images; a "
        ".txt with one caption per line; or embeddings (.npy, .npz).",
    )
    given: list[tuple[str, str]] = []
    for row in rows:
        name, source = _target_row(row, row == rows[0])
        if source or name:
            given.append((name, source))
    st.button("Add target", icon=":material/add:", type="tertiary", on_click=_add_row)
    write_to_url("target", [f"{name}={source}" for name, source in given])
    names = [name for name, _ in given]
    for name, source in given:
        if not source:
            raise CurationError(f"target {name} has no source")
        targets.TargetSource.parse(f"{name}={source}")
        if names.count(name) > 1:
            raise CurationError(f"two targets are named {name}")
        if "://" not in source and not Path(source).exists():
            raise CurationError(f"target {name}: {source} does not exist")
    return [text for name, source in given for text in ("--target", f"{name}={source}")]


def _target_row(row: int, is_first: bool) -> tuple[str, str]:
    visibility: Literal["visible", "collapsed"] = "visible" if is_first else "collapsed"
    keys = f"target_name_{row}", f"target_source_{row}"
    for key in keys:
        st.session_state[key] = st.session_state.get(key, "")
    suggested = name_for(tidy(st.session_state[keys[1]]), "")
    columns = st.columns([3, 7, 1], vertical_alignment="bottom")
    with columns[0]:
        name = st.text_input(
            "Name",
            key=keys[0],
            placeholder=suggested or "animals",
            label_visibility=visibility,
            persist_state="session",
        )
    with columns[1]:
        source = st.text_input(
            "Target source",
            key=keys[1],
            placeholder="data/targets/animals",
            label_visibility=visibility,
            persist_state="session",
        )
    with columns[2]:
        st.button(
            "",
            icon=":material/close:",
            key=f"target_drop_{row}",
            type="tertiary",
            help="Remove target",
            on_click=_drop_row,
            args=(row,),
        )
    return tidy(name) or suggested, tidy(source)


def name_for(source: str, default: str) -> str:
    """A name from the last part of a source: letters, digits and _, beginning with a letter."""
    last = source.rstrip("/").rpartition("/")[2]
    stem = last.partition(".")[0] if last.strip(".") else ""
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in stem.lower()).strip("_")
    return name.lstrip("0123456789_")[:60] or default


def reading() -> dict[str, str]:
    """How to read the source: the options that are filled in, by name."""
    readers = {"auto": "auto"} | {name: name for name in READERS}
    columns = st.columns(3)
    with columns[0]:
        reader = choose(st.selectbox, "Reader", readers, "reader")
    options = {} if reader == "auto" else {"reader": reader}
    for number, (name, label, default, help_) in enumerate(READING, 1):
        with columns[number % 3]:
            options[name] = text_field(label, name, placeholder=default, help=help_)
    return {name: text for name, text in options.items() if text}


def computing() -> list[str]:
    """The arguments for device and precision."""
    left, right = st.columns(2)
    with left:
        device = choose(st.selectbox, "Device", list(devices.CHOICES), "device")
    with right:
        precision = choose(
            st.selectbox, "Embedding precision", list(encoder.PRECISIONS), "embed_precision"
        )
    options = {"--device": device, "--embed-precision": precision}
    return [text for name, value in options.items() if value != "auto" for text in (name, value)]


def _add_row() -> None:
    rows = st.session_state[_ROWS]
    st.session_state[_ROWS] = [*rows, max(rows) + 1]


def _drop_row(row: int) -> None:
    left = [r for r in st.session_state[_ROWS] if r != row]
    # The last row is replaced by an empty one with another key.
    st.session_state[_ROWS] = left or [row + 1]
    for key in (f"target_name_{row}", f"target_source_{row}"):
        st.session_state.pop(key, None)

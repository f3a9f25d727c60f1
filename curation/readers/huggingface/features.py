"""What the columns of a dataset of 🤗 datasets are, as it declares them and by their types."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from curation.readers.shared import arrow_text, column_roles

_KEY = b"huggingface"


def images(schema: pa.Schema) -> list[str]:
    """The columns of images: declared as such, or not declared and of ``bytes`` with a ``path``."""
    told = _declared(schema)
    found = []
    for field in schema:
        kind = told.get(field.name, {}).get("_type")
        if kind == "Image" or (kind is None and _is_record(field.type)):
            found.append(field.name)
    return found


def labels(schema: pa.Schema) -> dict[str, Sequence[str]]:
    """What the numbers in the columns of classes stand for."""
    told = _declared(schema)
    found: dict[str, Sequence[str]] = {}
    for field in schema:
        feature = told.get(field.name, {})
        names = feature.get("names")
        is_class = feature.get("_type") == "ClassLabel" and pa.types.is_integer(field.type)
        if is_class and isinstance(names, list):
            found[field.name] = [str(name) for name in names]
    return found


def has_bytes(type_: pa.DataType) -> bool:
    """Whether a column holds bytes, at any depth: images, sounds and the like."""
    if pa.types.is_nested(type_):
        return any(has_bytes(type_.field(n).type) for n in range(type_.num_fields))
    return arrow_text.is_binary(type_)


def is_texts(type_: pa.DataType) -> bool:
    """Whether each cell is a list of texts."""
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(type_) for is_kind in kinds) and arrow_text.is_text(type_.value_type)


def _declared(schema: pa.Schema) -> Mapping[str, Mapping[str, Any]]:
    try:
        told = json.loads((schema.metadata or {}).get(_KEY, b"{}"))["info"]["features"]
        return {name: what for name, what in told.items() if isinstance(what, dict)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _is_record(type_: pa.DataType) -> bool:
    if not pa.types.is_struct(type_) or not column_roles.holds_images(type_):
        return False
    return {type_.field(n).name for n in range(type_.num_fields)} == {"bytes", "path"}

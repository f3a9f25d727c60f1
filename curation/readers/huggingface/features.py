"""What the columns of a 🤗 dataset hold, by its declared features and by their types."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from curation.readers.shared import arrow_text, column_roles

# The key of the schema's metadata under which datasets stores its features.
_METADATA_KEY = b"huggingface"


def image_columns(schema: pa.Schema) -> list[str]:
    """The columns declared as images, and undeclared ones of records of ``bytes`` and ``path``."""
    declared = _declared_features(schema)
    columns = []
    for field in schema:
        kind = declared.get(field.name, {}).get("_type")
        if kind == "Image" or (kind is None and _is_image_record(field.type)):
            columns.append(field.name)
    return columns


def class_names(schema: pa.Schema) -> dict[str, Sequence[str]]:
    """The names of the classes, for each column of class numbers."""
    declared = _declared_features(schema)
    columns: dict[str, Sequence[str]] = {}
    for field in schema:
        feature = declared.get(field.name, {})
        names = feature.get("names")
        is_class = feature.get("_type") == "ClassLabel" and pa.types.is_integer(field.type)
        if is_class and isinstance(names, list):
            columns[field.name] = [str(name) for name in names]
    return columns


def has_bytes(type_: pa.DataType) -> bool:
    """Whether a column holds bytes at any depth: images, sounds and the like."""
    if pa.types.is_nested(type_):
        return any(has_bytes(type_.field(n).type) for n in range(type_.num_fields))
    return arrow_text.is_binary(type_)


def is_text_list(type_: pa.DataType) -> bool:
    """Whether each cell is a list of texts."""
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(type_) for is_kind in kinds) and arrow_text.is_text(type_.value_type)


def _declared_features(schema: pa.Schema) -> Mapping[str, Mapping[str, Any]]:
    """The features by column, as far as they can be read; the metadata may be anything."""
    try:
        metadata = json.loads((schema.metadata or {}).get(_METADATA_KEY, b"{}"))
        features = metadata["info"]["features"]
        return {name: value for name, value in features.items() if isinstance(value, dict)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _is_image_record(type_: pa.DataType) -> bool:
    if not pa.types.is_struct(type_) or not column_roles.holds_images(type_):
        return False
    return {type_.field(n).name for n in range(type_.num_fields)} == {"bytes", "path"}

"""One JSON object from bytes that nobody has checked."""

from __future__ import annotations

import json

from curation.errors import CurationError
from curation.readers.shared.arrow_text import NOT_UTF8, is_utf8


def parse_object(data: bytes) -> dict[str, object]:
    """The object that a JSON text describes; a byte order mark is allowed.

    Raises:
        CurationError: the bytes are not one JSON object, or have text that is not valid Unicode.
    """
    try:
        # Decoded here because json.loads accepts lone surrogates in bytes.
        text = data.decode(json.detect_encoding(data))
        value = json.loads(text)
    except UnicodeDecodeError:
        raise CurationError(NOT_UTF8) from None
    except json.JSONDecodeError as error:
        raise CurationError(f"not valid JSON: {error.msg}") from None
    except RecursionError:
        raise CurationError("JSON is nested too deeply") from None
    except ValueError:
        # Python limits the digits of an integer.
        raise CurationError("number is too long to read") from None
    if not isinstance(value, dict):
        raise CurationError("not a JSON object")
    # Only an escape can bring in a lone surrogate.
    if "\\u" in text and not is_utf8(value):
        raise CurationError(NOT_UTF8)
    return value

"""Paths of the files that ship with the package: the app, the demo model, the sample.

A wheel holds them in ``curation/_app``; a checkout holds them beside ``curation/``.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "_app"

# The folder on sys.path from which this package was imported.
IMPORT_ROOT = _PACKAGE.parent
# The folder that holds app.py, pages/, .streamlit/ and data/.
ROOT = _IN_WHEEL if _IN_WHEEL.is_dir() else IMPORT_ROOT

APP = ROOT / "app.py"
MODEL = ROOT / "data" / "models" / "clip-lite0"
SAMPLE = ROOT / "data" / "sample"
TARGETS = ROOT / "data" / "targets"

"""What keeps the house clean and no linter knows: run by ``make check``.

- ``curation/`` never imports Streamlit or Plotly.
- A Python file stays under 300 lines, a test under 400.
- Every file but a test, whose names say it, begins with what it is.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCREEN = {"streamlit", "plotly"}
LONGEST, LONGEST_TEST = 300, 400


def main() -> int:
    problems = [p for file in python_files() for p in problems_of(file)]
    for problem in problems:
        print(problem)
    print(f"house: {len(problems)} problems" if problems else "house: clean")
    return 1 if problems else 0


def python_files() -> list[Path]:
    folders = ("curation", "pages", "tests", "benchmarks", "data/build")
    return [ROOT / "app.py", *(f for d in folders for f in sorted((ROOT / d).rglob("*.py")))]


def problems_of(file: Path) -> list[str]:
    name = file.relative_to(ROOT)
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    problems = []
    if name.parts[0] == "curation":
        reaching = sorted(imported(tree) & SCREEN)
        problems += [f"{name}: the backend must not import {module}" for module in reaching]
    is_test = name.parts[0] == "tests"
    if len(text.splitlines()) > (LONGEST_TEST if is_test else LONGEST):
        problems.append(f"{name}: {len(text.splitlines())} lines; split what it does")
    if text.strip() and ast.get_docstring(tree) is None and not is_test:
        problems.append(f"{name}: no docstring says what this file is")
    return problems


def imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


if __name__ == "__main__":
    sys.exit(main())

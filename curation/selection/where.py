"""Conditions of a recipe's ``where`` step: parsed, checked, never pasted into SQL.

``width >= 200 and max(width / height, height / width) <= 3`` has columns, numbers, text in
quotes, ``+ - * /``, comparisons, ``and``, ``or``, ``not``, and the functions of FUNCTIONS.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from curation.catalog.columns import ColumnInfo
from curation.errors import CurationError

FUNCTIONS = {"min": "least", "max": "greatest", "abs": "abs", "length": "length"}

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "=",
    ast.NotEq: "<>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}


@dataclass(frozen=True)
class Condition:
    """SQL with a ``?`` for each value, and the values."""

    sql: str
    parameters: tuple[object, ...]


def parse(text: str, columns: Mapping[str, ColumnInfo]) -> Condition:
    """A condition over these columns.

    Raises:
        CurationError: the text is not one; says what is wrong with it and where.
    """
    parameters: list[object] = []
    try:
        tree = ast.parse(text.strip(), mode="eval")
        sql = _Translator(text, columns, parameters).condition(tree.body)
    except SyntaxError as error:
        hint = "; compare with ==" if "==" not in text and "=" in text else ""
        raise CurationError(f"where: {text!r} is not a condition ({error.msg}{hint})") from None
    except (ValueError, RecursionError, MemoryError):
        raise CurationError(
            f"where: {text[:60]!r}… is not a condition (too deep, or a NUL)"
        ) from None
    is_minus = isinstance(tree.body, ast.UnaryOp) and isinstance(tree.body.op, ast.USub)
    if is_minus or not isinstance(tree.body, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Name):
        raise CurationError(f"where: {text!r} is a value, not a condition; compare it with one")
    return Condition(sql, tuple(parameters))


class _Translator:
    def __init__(
        self, text: str, columns: Mapping[str, ColumnInfo], parameters: list[object]
    ) -> None:
        self.text = text
        self.columns = columns
        self.parameters = parameters

    def condition(self, node: ast.expr) -> str:
        """What is true or false by itself: a comparison, or a column that is."""
        if isinstance(node, ast.Name):
            sql = self._column(node.id)
            if not self.columns[node.id].is_label:
                raise CurationError(f"where: {node.id} is not true or false; compare it")
            return sql
        return self.visit(node)

    def visit(self, node: ast.expr) -> str:
        match node:
            case ast.BoolOp(op=op, values=values):
                word = " AND " if isinstance(op, ast.And) else " OR "
                return "(" + word.join(self.condition(value) for value in values) + ")"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(NOT {self.condition(operand)})"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"(-{self.visit(operand)})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return f"({self.visit(left)} {_ARITHMETIC[type(op)]} {self.visit(right)})"
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self._comparison(left, ops, comparators)
            case ast.Call(func=ast.Name(id=name), args=[_, *_] as args, keywords=[]) if (
                name in FUNCTIONS
            ):
                return self._call(FUNCTIONS[name], args)
            case ast.Name(id=name):
                return self._column(name)
            case ast.Constant(value=bool() | int() | float() | str() as value):
                self.parameters.append(value)
                return "?"
        part = ast.get_source_segment(self.text.strip(), node) or self.text
        raise CurationError(
            f"where: {part!r} is not allowed; use columns, numbers, text, + - * /, comparisons, "
            f"and, or, not, {', '.join(FUNCTIONS)}"
        )

    def _call(self, function: str, args: list[ast.expr]) -> str:
        call = f"{function}({', '.join(self.visit(arg) for arg in args)})"
        # SQL's least and greatest pass over a missing value; here it makes the whole missing.
        names = {n.id for arg in args for n in ast.walk(arg) if isinstance(n, ast.Name)}
        missing = [f"{self._column(n)} IS NULL" for n in sorted(names & set(self.columns))]
        if not missing:
            return call
        return f"(CASE WHEN {' OR '.join(missing)} THEN NULL ELSE {call} END)"

    def _column(self, name: str) -> str:
        if name not in self.columns:
            raise CurationError(
                f"where: there is no column {name!r}; there are {', '.join(sorted(self.columns))}"
            )
        return '"' + name.replace('"', '""') + '"'

    def _side(self, node: ast.expr, other: ast.expr) -> str:
        """One side of a comparison; a number is as coarse as the scores it is compared with."""
        sql = self.visit(node)
        bare = node.operand if isinstance(node, ast.UnaryOp) else node
        is_number = isinstance(bare, ast.Constant) and isinstance(bare.value, int | float)
        is_score = isinstance(other, ast.Name) and self.columns[other.id].type == "FLOAT"
        return f"CAST({sql} AS FLOAT)" if is_number and is_score else sql

    def _comparison(self, left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr]) -> str:
        # Each ? is a value in turn, so a side that is used twice is translated twice.
        parts = []
        for op, right in zip(ops, comparators, strict=True):
            if type(op) not in _COMPARISONS:
                raise CurationError(f"where: {self.text!r}: compare with == != < <= > >=")
            parts.append(
                f"{self._side(left, right)} {_COMPARISONS[type(op)]} {self._side(right, left)}"
            )
            left = right
        return "(" + " AND ".join(parts) + ")"

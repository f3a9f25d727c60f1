"""Translates the condition of a ``where`` step to SQL. Text of the condition never enters the SQL.

A condition such as ``width >= 200 and max(width / height, height / width) <= 3`` consists of
columns, numbers, quoted text, ``+ - * /``, comparisons, ``and``, ``or``, ``not``, and FUNCTIONS.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from curation.catalog.columns import ColumnInfo
from curation.errors import CurationError

# The functions of a condition, and their names in SQL.
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
    """A condition in SQL, with a ``?`` for each value, and the values in the same order."""

    sql: str
    parameters: tuple[object, ...]


def parse(text: str, columns: Mapping[str, ColumnInfo]) -> Condition:
    """Translate a condition over these columns.

    Raises:
        CurationError: the text is not a condition, or names an unknown column.
    """
    translator = _Translator(text, columns)
    try:
        tree = ast.parse(text.strip(), mode="eval")
        sql = translator.condition(tree.body)
    except SyntaxError as error:
        hint = "; compare with ==" if "==" not in text and "=" in text else ""
        raise CurationError(f"where: {text!r} is not a condition ({error.msg}{hint})") from None
    except (ValueError, RecursionError, MemoryError):
        raise CurationError(
            f"where: {text[:60]!r}… is not a condition (too deeply nested, or a NUL)"
        ) from None
    is_minus = isinstance(tree.body, ast.UnaryOp) and isinstance(tree.body.op, ast.USub)
    if is_minus or not isinstance(tree.body, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Name):
        raise CurationError(
            f"where: {text!r} is a value, not a condition; compare it, as in width > 200"
        )
    return Condition(sql, tuple(translator.parameters))


class _Translator:
    """Translates syntax trees to SQL, and collects the values in the order of their ``?``."""

    def __init__(self, text: str, columns: Mapping[str, ColumnInfo]) -> None:
        self.text = text
        self.columns = columns
        self.parameters: list[object] = []

    def condition(self, node: ast.expr) -> str:
        """SQL of an expression that must be true or false."""
        if isinstance(node, ast.Name):
            sql = self._column(node.id)
            if not self.columns[node.id].is_label:
                raise CurationError(
                    f"where: {node.id} is not true or false; compare it, as in {node.id} > 0"
                )
            return sql
        return self.expression(node)

    def expression(self, node: ast.expr) -> str:
        """SQL of an expression of any type."""
        match node:
            case ast.BoolOp(op=op, values=values):
                word = " AND " if isinstance(op, ast.And) else " OR "
                return "(" + word.join(self.condition(value) for value in values) + ")"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(NOT {self.condition(operand)})"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"(-{self.expression(operand)})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return f"({self.expression(left)} {_ARITHMETIC[type(op)]} {self.expression(right)})"
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
        call = f"{function}({', '.join(self.expression(arg) for arg in args)})"
        # SQL's least and greatest ignore a missing value; here it makes the result missing.
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
        # An identifier contains no quotes.
        return f'"{name}"'

    def _side(self, node: ast.expr, other: ast.expr) -> str:
        """SQL of one side of a comparison. A number compared with a score is rounded to float32."""
        sql = self.expression(node)
        bare = node.operand if isinstance(node, ast.UnaryOp) else node
        is_number = isinstance(bare, ast.Constant) and isinstance(bare.value, int | float)
        is_score = isinstance(other, ast.Name) and self.columns[other.id].type == "FLOAT"
        return f"CAST({sql} AS FLOAT)" if is_number and is_score else sql

    def _comparison(self, left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr]) -> str:
        # The middle of a chain is translated twice, so that each of its ? gets a value.
        parts = []
        for op, right in zip(ops, comparators, strict=True):
            if type(op) not in _COMPARISONS:
                raise CurationError(f"where: {self.text!r}: compare with == != < <= > >=")
            parts.append(
                f"{self._side(left, right)} {_COMPARISONS[type(op)]} {self._side(right, left)}"
            )
            left = right
        return "(" + " AND ".join(parts) + ")"

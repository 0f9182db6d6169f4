"""Small faults for code: one operator, comparison, number, condition, argument, statement or result each."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

OPERATORS = (
    "Add Sub, Sub Add, Mult Div, Div Mult, FloorDiv Mult, Mod Mult, Pow Mult, LShift RShift, RShift LShift, "
    "BitAnd BitOr, BitOr BitAnd, And Or, Or And, Lt LtE GtE, LtE Lt Gt, Gt GtE LtE, GtE Gt Lt, Eq NotEq, "
    "NotEq Eq, Is IsNot, IsNot Is, In NotIn, NotIn In"
)
TWINS = {first: others for first, *others in map(str.split, OPERATORS.split(", "))}
PAIRS = "min max, floor ceil, cos sin, any all, minimum maximum, INTER_AREA INTER_LINEAR"
NAMES = {a: b for pair in map(str.split, PAIRS.split(", ")) for a, b in (pair, pair[::-1])}
SYMMETRIC = ("max", "min", "maximum", "minimum", "hypot", "iou", "are_same", "super")
NO_CODE = ("annotation", "returns", "decorator_list", "exc", "msg")  # fields; `exc` is what is raised


class Mutant(NamedTuple):
    """A module's source with one fault."""

    line: int
    last_line: int
    what: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, always in the same order.

    Left out are annotations, texts, assertions, imports, decorators, and the ``strict=`` of a zip.
    """
    tree = ast.parse(source)
    for put, node in list(_places(tree)):
        for new in _faults(node):
            put(new)
            mutated = ast.unparse(ast.fix_missing_locations(tree))
            yield Mutant(node.lineno, node.end_lineno or 0, f"{_short(node)} -> {_short(new)}", mutated)
            put(node)


def _places(parent: ast.AST) -> Iterator[tuple[Callable[[ast.AST], None], Any]]:
    """Yield each expression and statement with what puts another one into its place."""
    for field, value in ast.iter_fields(parent):
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if field in NO_CODE or not isinstance(node, ast.AST) or _is_no_code(node):
                continue
            if isinstance(node, ast.expr | ast.stmt):
                put = partial(setattr, parent, field) if index is None else partial(value.__setitem__, index)
                yield put, node
            yield from _places(node)


def _is_no_code(node: ast.AST) -> bool:
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.annotation) == "TypeAlias"
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    other = isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.JoinedStr)
    return text or other or getattr(node, "arg", "") == "strict"


def _faults(node: Any) -> Iterator[ast.AST]:
    def changed(**fields: Any) -> Any:
        return type(node)(**{**dict(ast.iter_fields(copy.deepcopy(node))), **fields})

    match node:
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            for twin in TWINS.get(type(node.op).__name__, ()):
                yield changed(op=getattr(ast, twin)())
        case ast.Compare():
            for place, op in enumerate(node.ops):
                for twin in TWINS[type(op).__name__]:
                    yield changed(ops=[*node.ops[:place], getattr(ast, twin)(), *node.ops[place + 1 :]])
        case ast.UnaryOp():
            yield node.operand
        case ast.Constant(value=bool() | int() | float()):
            yield ast.Constant(_other(node.value))
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in NAMES:
            yield changed(**{"id" if isinstance(node, ast.Name) else "attr": NAMES[name]})
        case ast.Call(args=[first, second, *rest]) if _minds_order(node):
            yield changed(args=[second, first, *rest])
        case ast.If() | ast.IfExp() | ast.While():
            yield changed(test=ast.UnaryOp(ast.Not(), node.test))
        case ast.Return(value=ast.expr()) if ast.unparse(node.value) != "None":
            yield changed(value=ast.Constant(None))
    if _may_be_missing(node):
        yield ast.Pass()


def _may_be_missing(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Attribute | ast.Subscript)
    return isinstance(node, ast.Expr | ast.AugAssign | ast.Raise | ast.Continue | ast.Break)


def _minds_order(call: ast.Call) -> bool:
    first, second = call.args[:2]
    starred = isinstance(first, ast.Starred) or isinstance(second, ast.Starred)
    return (
        not starred
        and ast.dump(first) != ast.dump(second)
        and ast.unparse(call.func).rpartition(".")[2] not in SYMMETRIC
    )


def _other(value: float) -> float:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else 2 * value or 1.0


def _short(node: ast.AST) -> str:
    return ast.unparse(node).split("\n")[0][:100]

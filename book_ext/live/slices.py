"""Each proof of a page as a program of its own: its cell, and of the cells above what it needs."""

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

import jupytext

__all__ = ["Proof", "proofs"]

GIVEN = "dpm_lib"
"""What is imported from here a proof has without asking."""


class Proof(NamedTuple):
    """A proof that can run by itself.

    Attributes:
        equation: id of the equation.
        source: the program.
        damages: names of the damaged formulas that it refuses.
    """

    equation: str
    source: str
    damages: list[str]


def proofs(page: str) -> dict[str, Proof]:
    """The proofs of a page, from its text, by the id of their equation."""
    found = {}
    above: list[tuple[ast.stmt, str]] = []
    for statement, text in _statements(page):
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "dpm.prove":
            (equation,) = (ast.literal_eval(argument) for argument in call.args[:1])
            (mutants,) = (k.value for k in call.keywords if k.arg == "mutants")
            names = [ast.literal_eval(key) for key in mutants.keys]
            found[equation] = Proof(equation, _needed(statement, text, above), names)
        above.append((statement, text))
    return found


def _statements(page: str) -> Iterator[tuple[ast.stmt, str]]:
    for cell in jupytext.reads(page, fmt="md:myst").cells:
        if cell.cell_type == "code":
            lines = cell.source.splitlines()
            for statement in ast.parse(cell.source).body:
                first = min([statement.lineno, *(d.lineno for d in _decorators(statement))])
                yield statement, "\n".join(lines[first - 1 : statement.end_lineno])


def _decorators(statement: Any) -> list[ast.expr]:
    return getattr(statement, "decorator_list", [])


def _needed(proof: ast.stmt, text: str, above: list[tuple[ast.stmt, str]]) -> str:
    """The text of a proof below that of the statements that it rests on."""
    missing, kept = _read(proof) - {"dpm"}, [text]
    for statement, source in reversed(above):
        if given := _written(statement) & missing:
            if isinstance(statement, ast.ImportFrom) and str(statement.module).startswith(GIVEN):
                missing -= given
                continue
            missing = (missing - given) | _read(statement) - {"dpm"}
            kept.insert(0, source)
    return "\n".join(kept)


def _read(node: ast.AST) -> set[str]:
    """The names that a statement needs from outside."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and _loaded(n)}
    changed = [n.target for n in ast.walk(node) if isinstance(n, ast.AugAssign)]
    return names - _inner(node) | {n.id for n in changed if isinstance(n, ast.Name)}


def _loaded(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Load)


def _written(node: ast.AST) -> set[str]:
    """The names that a statement gives to those below."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not _loaded(n)}
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return names - _inner(node)


def _inner(node: ast.AST) -> set[str]:
    """Names that live inside a statement: those of comprehensions, arguments of functions."""
    loops = [n.target for n in ast.walk(node) if isinstance(n, ast.comprehension)]
    names = {n.id for loop in loops for n in ast.walk(loop) if isinstance(n, ast.Name)}
    return names | {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}

"""What the code may say to an operator, read from the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


def texts_of(call_name: str, folder: Path) -> set[str]:
    """First arguments of all calls `call_name("…")` and `x.call_name("…")` below the folder.

    A variable is followed to the texts that its function gives it; a parameter, to the calls of
    that function in the same file. Of an f-string only the part before the first value is taken.
    """
    found: set[str] = set()
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= _in_tree(call_name, tree)
    return found


def _in_tree(call_name: str, tree: ast.AST) -> set[str]:
    found: set[str] = set()
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    for call in _calls(call_name, tree):
        text = _text(call.args[0]) if call.args else None
        if text is not None:
            found.add(text)
        elif call.args and isinstance(call.args[0], ast.Name):
            name = call.args[0].id
            around = [f for f in functions if call in set(ast.walk(f))]
            for function in around:
                found |= _given(function, name)
                if name in [argument.arg for argument in function.args.args]:
                    found |= _in_tree(function.name, tree)
    return found


def _calls(name: str, tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if getattr(called, "attr", getattr(called, "id", None)) == name:
                yield node


def _given(function: Function, name: str) -> set[str]:
    texts = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            text = _text(node.value)
            if text is not None:
                texts.add(text)
    return texts


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        return str(node.values[0].value).rstrip()
    return None

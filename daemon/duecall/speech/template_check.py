"""What a message template may hold, and where its parts stand. Works on Jinja's syntax tree."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterator

from jinja2 import Environment, nodes

from duecall.core.campaign import Language
from duecall.speech.converters import FILTERS
from duecall.speech.faults import TemplateFault

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Filter,
    nodes.Keyword,  # refused below, with better words
    nodes.Test,
    nodes.List,
    nodes.Tuple,
)
_TESTS = ("defined", "undefined")
# Templates must not hold what `Spoken` prints, nor anything else without a meaning of its own.
PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff\0]")
_NUMBERS = ("Nd", "No", "Nl")  # digits of every script; superscripts, fractions, Roman numerals


def forbidden_faults(
    tree: nodes.Template, source: str, language: Language
) -> Iterator[TemplateFault]:
    """Everything that is Jinja but not part of a message template."""
    everything = list(_walk(tree))
    for node in everything:  # first of all, because these name the cause best
        if not isinstance(node, _ALLOWED) or (
            isinstance(node, nodes.Neg) and not isinstance(node.node, nodes.Const)
        ):
            yield TemplateFault(_why_not(node), node.lineno)
    for node in everything:
        if isinstance(node, nodes.Filter):
            if node.name not in FILTERS or node.node is None:
                known = ", ".join(sorted(FILTERS))
                yield _at_word(source, node.lineno, node.name, f"no filter {node.name}; {known}")
            elif node.kwargs or node.dyn_args or node.dyn_kwargs:
                yield TemplateFault("a filter takes plain arguments: money('VND')", node.lineno)
            elif node.name == "form" and language != "ru":
                problem = "only Russian has forms; leave `| form(…)` out"
                yield _at_word(source, node.lineno, node.name, problem)
        elif isinstance(node, nodes.Test) and node.name not in _TESTS:
            yield TemplateFault(f"no test {node.name}; known: {', '.join(_TESTS)}", node.lineno)
        elif isinstance(node, nodes.Const) and _unfit(node.value):
            yield TemplateFault("this text or number cannot be read aloud; delete it", node.lineno)
        elif isinstance(node, nodes.Output):
            yield from _unspoken(node)


def name_places(tree: nodes.Template, source: str) -> dict[str, tuple[int, int]]:
    """Each variable used, with line and column of its first use."""
    places: dict[str, tuple[int, int]] = {}
    for node in _walk(tree):
        if isinstance(node, nodes.Name) and node.name not in places:
            found = _column(source, node.lineno, node.name)
            places[node.name] = (node.lineno, found)
    return places


def digit_runs(
    environment: Environment, source: str, categories: Collection[str] = _NUMBERS
) -> list[int]:
    """Offsets of numbers in the text, or of what else Unicode puts into these categories, outside
    of `{{ }}`, `{% %}` and comments.

    Text in quotes that is printed as it is (`{{ "24" }}`) counts too; text that a filter takes
    does not.
    """
    offsets: list[int] = []
    tokens = list(environment.lex(source))
    at = 0
    for index, (_, kind, value) in enumerate(tokens):
        start = source.find(value, at)
        if start < 0:  # never seen; a wrong column is better than none
            start = at
        at = start + len(value)
        if kind == "data" or (kind == "string" and _stands_alone(tokens, index)):
            kinds = [unicodedata.category(char) in categories for char in value]
            runs = [n for n, here in enumerate(kinds) if here and not (n and kinds[n - 1])]
            offsets += [start + run for run in runs]
    return offsets


def bare_names(tree: nodes.Template, source: str) -> Iterator[tuple[str, int, int]]:
    """Variables that are said without a filter, with line and column."""
    for output in tree.find_all(nodes.Output):
        waiting = list(output.nodes)
        while waiting:
            node = waiting.pop(0)
            if isinstance(node, nodes.CondExpr):
                waiting += [part for part in (node.expr1, node.expr2) if part is not None]
            elif isinstance(node, nodes.Name):
                yield node.name, node.lineno, _column(source, node.lineno, node.name, "{")


def place(source: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1."""
    before = source[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


_ARITHMETIC = "a message cannot calculate; put the result into the contacts file"


def _unfit(value: object) -> bool:
    """Infinity (1e999), and private-use characters or NUL written as an escape."""
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, str) and PRIVATE.search(value) is not None


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _why_not(node: nodes.Node) -> str:
    if isinstance(node, nodes.Concat):
        return "~ is not allowed; write {{ first }} {{ second }}"
    if isinstance(node, (nodes.BinExpr, nodes.UnaryExpr)):
        return _ARITHMETIC
    if isinstance(node, (nodes.Getattr, nodes.Getitem)):
        return "a value has no parts: no dots, no [ ]"
    if isinstance(node, nodes.Call):
        return "a message cannot call functions"
    return (
        f"{type(node).__name__} is not part of message templates: "
        "there are {{ variable | filter }}, {% if %} and {# comment #}"
    )


def _unspoken(output: nodes.Output) -> Iterator[TemplateFault]:
    """Comparisons and lists have no words."""
    waiting = list(output.nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, nodes.CondExpr):
            if node.expr2 is None:
                yield TemplateFault("an if within {{ }} needs an else", node.lineno)
            waiting += [part for part in (node.expr1, node.expr2) if part is not None]
        elif isinstance(node, nodes.Const) and not isinstance(node.value, str):
            yield TemplateFault(
                "a bare number cannot be read aloud; say what it is: {{ 3 | count }}", node.lineno
            )
        elif not isinstance(node, (nodes.TemplateData, nodes.Name, nodes.Const, nodes.Filter)):
            yield TemplateFault(
                "only a variable, with or without a filter, can be said", node.lineno
            )


def _stands_alone(tokens: list[tuple[int, str, str]], index: int) -> bool:
    """Whether a quoted text is printed: in `{{ }}`, no filter, comparison or argument around it."""
    before = [t for t in tokens[:index] if t[1] != "whitespace"]
    after = [t for t in tokens[index + 1 :] if t[1] != "whitespace"]
    printed_before = before and (
        before[-1][1] == "variable_begin" or (before[-1][1] == "name" and before[-1][2] == "else")
    )
    printed_after = after and (
        after[0][1] == "variable_end" or (after[0][1] == "name" and after[0][2] == "if")
    )
    return bool(printed_before and printed_after)


def _at_word(source: str, line: int, word: str, message: str) -> TemplateFault:
    return TemplateFault(message, line, _column(source, line, word))


def _column(source: str, line: int, word: str, braces: str = "{%") -> int:
    """Jinja's tree knows lines only, so the word is looked up within its line, in braces first.

    braces: what may stand behind the first one: `{` where the word is said, `%` in a condition.
    """
    text = (source.split("\n") + [""] * line)[line - 1]
    pattern = rf"(?<!\w){re.escape(word)}(?!\w)"
    inside = re.search(rf"\{{[{braces}][^{{}}]*?({pattern})", text)
    found = re.search(pattern, text)
    return inside.start(1) + 1 if inside else found.start() + 1 if found else 1

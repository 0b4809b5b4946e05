"""A tree of plain text into a model, or all that is wrong with it, each fault at its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from duecall.core.model import Model
from duecall.core.scalars import did_you_mean, duration_text, seconds_of
from duecall.shell.config_faults import ConfigFaults, Fault, Spot
from duecall.shell.model_keys import keys_at
from duecall.shell.yaml_tree import Tree, dotted

M = TypeVar("M", bound=Model)
Path_ = tuple[str | int, ...]


def validated(
    model: type[M], path: Path, tree: Tree, faults: list[Fault], *, unnamed: bool = False
) -> M:
    """The model of this tree. Raises ConfigFaults: these faults, and those of the model.

    unnamed: the file has no key `name`, and its own name stands for it.
    """
    value: M | None = None
    try:
        value = model.model_validate(tree.data)
    except ValidationError as error:
        told = {fault.key for fault in tree.faults}  # what is no data has no type either
        for detail in error.errors(include_url=False):
            place = _place(tree, detail["loc"])
            if dotted(place) in told or _only_entries_are_wrong(tree, place, detail):
                continue
            if unnamed and detail["loc"] == ("name",):
                problem = f"the file's name, {path.stem!r}, cannot be the campaign's"
                allowed = "a key `name`: " + detail["ctx"]["allowed"]
                faults.append(fault_at(path, tree, ("name",), problem, allowed))
            else:
                faults.append(_model_fault(model, path, tree, detail))
    if value is None or faults:
        raise ConfigFaults(faults)
    return value


def _only_entries_are_wrong(tree: Tree, place: Path_, detail: ErrorDetails) -> bool:
    """Pydantic calls a list too short when its entries are faulty: those are told by themselves."""
    if detail["type"] != "too_short":
        return False
    value = tree.at(place)
    return isinstance(value, (list, dict)) and len(value) >= detail["ctx"]["min_length"]


def fault_at(
    file: Path, tree: Tree, place: Path_, problem: str, allowed: str, spot: Spot | None = None
) -> Fault:
    """A fault of what stands at this place; spot: where it is written, if not there."""
    line, column = spot or tree.spot(place)
    return Fault(str(file), line, column, dotted(place), problem, allowed)


def _model_fault(model: type[Model], file: Path, tree: Tree, detail: ErrorDetails) -> Fault:
    place = _place(tree, detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        keys = keys_at(model, place[:-1])
        problem = "unknown key" + did_you_mean(str(place[-1]), keys)
        if tree.at(place) is None and not str(place[-1]).isidentifier():
            problem = "a piece of text where a key belongs; text with a comma in { } needs quotes"
        return fault_at(file, tree, place, problem, ", ".join(keys), tree.key_spot(place))
    if kind == "missing":
        return fault_at(
            file, tree, (*place, detail["loc"][-1]), "is missing", "a value; it has to be set"
        )
    spot = tree.key_spot(place) if detail["loc"][-1:] == ("[key]",) else None
    if kind == "duecall":
        return fault_at(file, tree, place, context["problem"], context["allowed"], spot)
    problem, allowed = _in_words(kind, context, tree.at(place), detail["msg"])
    return fault_at(file, tree, place, problem, allowed, spot)


def _place(tree: Tree, loc: Path_) -> Path_:
    """As far into the tree as pydantic's location leads; its tags and short forms are no places."""
    path: Path_ = ()
    for part in loc:
        node = tree.at(path)
        named = isinstance(node, dict) and part in node
        counted = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if named or counted:
            path = (*path, part)
    return path


_SHAPES = {
    "string_type": "text",
    "tuple_type": "a list, such as [a, b]",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "int_type": "a whole number",
    "float_type": "a number",
    "decimal_type": "a number",
    "bool_type": "true or false",
    "date_type": "year-month-day, such as 2026-04-19",
    "time_type": "hours:minutes, such as 08:00",
}
_NUMBERS = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_parsing": "a number",
    "decimal_parsing": "a number",
    "finite_number": "a number",
}


def _in_words(kind: str, context: dict[str, Any], raw: Any, message: str) -> tuple[str, str]:
    """(what is wrong, what is allowed) of one of pydantic's own errors."""
    if raw is None:
        return "is empty", _SHAPES.get(kind, "a value, or leave the key out")
    if kind in _SHAPES:
        return f"{_shape(raw)} in the wrong place", _SHAPES[kind]
    if kind in _NUMBERS:
        return f"{raw!r} is not {_NUMBERS[kind]}", _NUMBERS[kind]
    if kind == "literal_error":
        listed = context["expected"].replace(" or ", ", ").split(",")
        words = [word for word in (one.strip("' ") for one in listed) if word]
        return f"{raw!r} is not known" + did_you_mean(str(raw), words), ", ".join(words)
    for bound, limit in _limits(context):
        return f"{raw} is out of range", f"{bound} {_like(raw, limit)}"
    if kind in ("too_short", "too_long"):
        bound = "at least" if kind == "too_short" else "at most"
        limit = context.get("min_length", context.get("max_length"))
        count = context["actual_length"]
        return f"{count} entries" if count else "is empty", f"{bound} {limit}"
    return message, "see docs/campaign.md"


def _limits(context: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, words in (
        ("ge", "at least"),
        ("le", "at most"),
        ("gt", "more than"),
        ("lt", "below"),
    ):
        if name in context:
            yield words, context[name]


def _like(raw: Any, limit: Any) -> str:
    """The limit, as a duration where the value was one."""
    try:
        seconds_of(str(raw))
    except ValueError:
        return str(limit)
    return duration_text(int(limit))


def _shape(raw: Any) -> str:
    if isinstance(raw, dict):
        return "keys with values"
    return "a list" if isinstance(raw, list) else f"text ({raw!r})"

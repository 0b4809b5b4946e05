"""Message templates within a campaign file: what is wrong with them, at its line in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from duecall.core.campaign import Language
from duecall.core.scalars import did_you_mean
from duecall.shell.config_faults import Spot
from duecall.shell.yaml_tree import Tree
from duecall.speech.faults import TemplateFault
from duecall.speech.template import MessageTemplate

Place = tuple[str | int, ...]
Reference = tuple[Place, str, str, Spot | None]  # place, problem, allowed, a spot within the value


def template_faults(
    tree: Tree,
    place: Place,
    text: str,
    language: Language,
    known: set[str] | None,
    typed: set[str],
) -> Iterator[Reference]:
    """known: the variables there are; None where that cannot be told. typed: those that may be said
    without a filter."""
    try:
        template = MessageTemplate(text, language)
    except TemplateFault as error:
        spot = _within(tree, place, error.line, error.column)
        yield place, error.message, "see docs/campaign.md, Messages", spot
        return
    if not template.variables() and not _has_words(template):
        yield place, "nothing in this text can be spoken", "words, or no text here at all", None
    for fault in template.undefined_faults(known) if known is not None else ():
        word = _word_at(template.source, fault)
        problem = f"nothing gives the variable {word}" + did_you_mean(word, known or ())
        if word == "lender":
            problem = "nothing gives the variable lender: neither variables nor lender_name"
        spot = _within(tree, place, fault.line, fault.column, word)
        yield place, problem, ", ".join(sorted(known or ())), spot
    for fault in template.untyped_faults(typed):
        word = _word_at(template.source, fault)
        if known is None or word in known:
            spot = _within(tree, place, fault.line, fault.column, word)
            problem, allowed = fault.message.split(": ", 1)
            yield place, problem, f"{allowed}; docs/speech.md lists them", spot
    for fault in template.static_number_faults():
        number = _number_at(template.source, fault)
        if number:
            spot = _within(tree, place, fault.line, fault.column, number)
            yield place, f"the number {number} in the text may be read wrongly", fault.message, spot
    for fault in template.static_sign_faults():
        sign = _rest_of_line(template.source, fault)[:1]
        spot = _within(tree, place, fault.line, fault.column)
        yield place, f"the sign {sign} in the text may be read wrongly", fault.message, spot


def _has_words(template: MessageTemplate) -> bool:
    """Of one without variables: who is called hears something."""
    try:
        pieces = template.render({})
    except TemplateFault:
        return True  # another fault, told by others
    return any(not isinstance(piece, str) or any(map(str.isalnum, piece)) for piece in pieces)


def _rest_of_line(source: str, fault: TemplateFault) -> str:
    return source.split("\n")[fault.line - 1][fault.column - 1 :]


def _word_at(source: str, fault: TemplateFault) -> str:
    found = re.match(r"\w+", _rest_of_line(source, fault))
    return found.group() if found else ""


def _number_at(source: str, fault: TemplateFault) -> str:
    """The number with its separators; empty where it is the rest of one that was told."""
    line, start = source.split("\n")[fault.line - 1], fault.column - 1
    found = re.match(r"\d+(?:[.,:/ -]?\d+)*", line[start:])
    number = found.group() if found else line[start]
    joined = start > 1 and line[start - 1] in ".,:/ -" and line[start - 2].isdigit()
    return "" if joined else number


def _within(tree: Tree, place: Place, line: int, column: int, word: str = "") -> Spot:
    """Where line and column (from 1) of a text stand in the file.

    A text that is folded, escaped or runs over several quoted lines has other lines in the file
    than in itself: there `word` is looked for, else the text's start has to do.
    """
    start = tree.spot(place)
    node = tree.nodes[place]
    source = tree.text[node.start_mark.index : node.end_mark.index]
    if getattr(node, "style", None) == "|":
        lines = source.splitlines()[1:]
        indent = next((len(one) - len(one.lstrip(" ")) for one in lines if one.strip()), 0)
        return Spot(start.line + line, indent + column)
    quote = 1 if source[:1] in ("'", '"') else 0
    if line == 1 and source[quote : quote + column] == node.value[:column]:
        return Spot(start.line, start.column + quote + column - 1)
    found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", source) if word else None
    if not found:
        return start
    before = source[: found.start()]
    if "\n" not in before:
        return Spot(start.line, start.column + found.start())
    return Spot(start.line + before.count("\n"), found.start() - before.rfind("\n"))

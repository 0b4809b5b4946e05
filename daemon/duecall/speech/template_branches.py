"""Every branch of a template: what it says where its conditions hold, and where not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from duecall.speech.template import MessageTemplate

BRANCHES_MAX = 256  # of eight conditions; with more of them, each is turned by itself
_CONDITION = re.compile(r"(\{%[-+]?\s*(?:if|elif)\s)(.*?)(\s?[-+]?%\})", re.DOTALL)


def branches_of(template: MessageTemplate) -> Iterator[MessageTemplate]:
    """The template with its conditions replaced by yes or no, in every way."""
    conditions = len(_CONDITION.findall(template.source))
    for answers in _answers(conditions):
        yield MessageTemplate(_answered(template.source, answers), template.language)


def _answered(source: str, answers: tuple[bool, ...]) -> str:
    left = iter(answers)

    def answer(found: re.Match[str]) -> str:
        return f"{found[1]}{'true' if next(left) else 'false'}{found[3]}"

    return _CONDITION.sub(answer, source)


def _answers(conditions: int) -> Iterator[tuple[bool, ...]]:
    if 2**conditions <= BRANCHES_MAX:
        yield from product((True, False), repeat=conditions)
        return
    for kept in (True, False):
        yield (kept,) * conditions
        for turned in range(conditions):
            yield tuple(kept != (number == turned) for number in range(conditions))

"""Message templates: Jinja2 in its sandbox, cut down to what a spoken message needs.

`{{ balance }}`, `{{ card | last4 }}`, `{% if dpd > 30 %} … {% elif %} … {% else %} … {% endif %}`
and comments. No loops, calls, attributes, arithmetic, nor filters of Jinja's own: a value that
went through `upper` or `+ 1` could no longer be read aloud as what it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Any, TypeAlias

import jinja2
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from duecall.core.campaign import Language
from duecall.speech.cleaning import static_text
from duecall.speech.converters import FILTERS
from duecall.speech.faults import SpeechError, TemplateFault
from duecall.speech.grammar import Region
from duecall.speech.spoken import MARK_FIRST, MARK_LAST, Spoken
from duecall.speech.template_check import (
    PRIVATE,
    bare_names,
    digit_runs,
    forbidden_faults,
    name_places,
    place,
)
from duecall.speech.values import VALUE_TYPES, Value, Values
from duecall.speech.words import words

Piece: TypeAlias = "str | Value"  # static text, or a typed value

SOURCE_MAX = 10_000  # characters of one template; ten minutes of speech
_SLOTS = "\0slots"  # no template can name this variable
_static_text = lru_cache(maxsize=4096)(static_text)  # the same few for every contact
_MARKS = re.compile(f"([{chr(MARK_FIRST)}-{chr(MARK_LAST)}])")


class MessageTemplate:
    """One template of a campaign. Made once, rendered for every contact, safe to share."""

    def __init__(self, source: str, language: Language) -> None:
        """TemplateFault for a syntax error, or for anything beyond the subset above."""
        # Jinja counts every kind of line end as one line.
        lines = source.replace("\r\n", "\n").replace("\r", "\n")
        self.source = unicodedata.normalize("NFC", lines)
        self.language: Language = language
        if len(self.source) > SOURCE_MAX:
            raise TemplateFault(f"at most {SOURCE_MAX} characters; split the message in two")
        private = PRIVATE.search(self.source)
        if private:
            raise TemplateFault(
                "private-use characters and NUL are not allowed in a message; delete it",
                *place(self.source, private.start()),
            )
        try:
            self._tree = _ENVIRONMENT.parse(self.source)
            for fault in forbidden_faults(self._tree, self.source, language):
                raise fault
            self._compiled = _ENVIRONMENT.from_string(self._tree)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateFault(error.message or "syntax error", error.lineno) from None
        except (RecursionError, MemoryError, SyntaxError):
            raise TemplateFault("nested too deeply; write the message in parts") from None
        self._places = name_places(self._tree, self.source)

    def variables(self) -> set[str]:
        """Names of the variables used, also those within conditions."""
        return set(self._places)

    def undefined_faults(self, known: set[str]) -> list[TemplateFault]:
        """One for each variable that is not among `known`, in order of appearance."""
        return [
            self._undefined(name, known)
            for name in sorted(self._places, key=self._places.__getitem__)
            if name not in known
        ]

    def static_number_faults(self) -> list[TemplateFault]:
        """One for each number in the text itself: a synthesiser would guess how to read it."""
        return [
            TemplateFault(
                "numbers are written as typed variables, such as {{ balance }}, "
                "{{ '19001234' | phone }} or {{ 3 | count }}, or in words",
                *place(self.source, offset),
            )
            for offset in digit_runs(_ENVIRONMENT, self.source)
        ]

    def static_sign_faults(self) -> list[TemplateFault]:
        """One for each emoji, currency sign and the like in the text itself: one voice reads 🙂 as
        "slightly smiling face", another one stops at it.
        """
        return [
            TemplateFault("leave it out, or write it in words", *place(self.source, offset))
            for offset in digit_runs(_ENVIRONMENT, self.source, ("So", "Sc"))
        ]

    def said_plainly(self) -> list[str]:
        """The variables that are said without a filter, each once."""
        return list(dict.fromkeys(name for name, _, _ in bare_names(self._tree, self.source)))

    def untyped_faults(self, typed: set[str]) -> list[TemplateFault]:
        """One for each variable that is said without a filter and is not among those that have a
        type of their own. Numbers and days in it would be read as words, or not at all.
        """
        return [
            TemplateFault(
                f"{name} has no type: write {{{{ {name} | text }}}}, or the filter of what it is",
                line,
                column,
            )
            for name, line, column in bare_names(self._tree, self.source)
            if name not in typed
        ]

    def render(self, values: Values) -> list[Piece]:
        """Static text (single spaces, ends kept) and typed values, in the order they are spoken.

        TemplateFault where a variable is missing, or a value does not fit its filter or
        comparison. What the template says of values it does not print costs nothing.
        """
        return [piece if isinstance(piece, str) else piece.value for piece in self._render(values)]

    def fault(self, values: Values, prove: Callable[[Value], object]) -> tuple[str, str] | None:
        """(the variable at fault, why) of the first thing that cannot be said; None: all can.

        prove: raises SpeechError for a value that cannot be read aloud. The variable is empty where
        the fault is none of a single one.
        """
        try:
            pieces = self._render(values)
        except TemplateFault as error:
            return error.variable, str(error)
        for piece in pieces:
            if isinstance(piece, Spoken):
                try:
                    prove(piece.value)
                except SpeechError as error:
                    return piece.name, str(error)
        return None

    def _render(self, values: Values) -> list[str | Spoken]:
        slots: list[Spoken] = []
        context: dict[str, object] = {_SLOTS: slots}
        for name in self._places:
            value = values.get(name)
            if value is not None:
                if not isinstance(value, VALUE_TYPES):
                    raise TypeError(f"{name} is a {type(value).__name__}, not a typed value")
                context[name] = Spoken(value, slots, name)
        try:
            text = self._compiled.render(context)
        except jinja2.UndefinedError as error:
            name = _missing_name(error)
            if name in self._places:
                raise self._undefined(name, set(values)) from None
            raise TemplateFault(str(error), _line(error)) from None
        except (SpeechError, jinja2.TemplateError, TypeError, ValueError) as error:
            variable = getattr(error, "variable", "")
            raise TemplateFault(_reason(error), _line(error), variable=variable) from None
        return _split(text, slots)

    def _undefined(self, name: str, known: set[str]) -> TemplateFault:
        there = ", ".join(sorted(known)) or "none"
        return TemplateFault(
            f"variable {name} is not defined; there are: {there}", *self._places[name]
        )


def text_of(pieces: Sequence[Piece], language: Language, region: Region = "") -> str:
    """The message in words, as `duecall listen` shows it. Unspeakable where a value has none."""
    text = ""
    for piece in pieces:
        part = piece if isinstance(piece, str) else words(piece, language, region)
        if text and part and language != "zh" and text[-1].isalnum() and part[0].isalnum():
            text += " "
        text += part
    return re.sub(r"\s+", " ", text).strip()


def _split(text: str, slots: Sequence[Spoken]) -> list[str | Spoken]:
    pieces: list[str | Spoken] = []
    for part in _MARKS.split(text):
        if _MARKS.fullmatch(part):
            index = ord(part) - MARK_FIRST
            if index >= len(slots):
                raise TemplateFault("private-use characters are not allowed in a message")
            pieces.append(slots[index])
        elif part:
            pieces.append(_static_text(part))
    return pieces


def _as_filter(name: str, convert: Callable[..., Value]) -> Callable[..., Spoken]:
    # With the context Jinja cannot run the filter at compile time, where there is no contact.
    @jinja2.pass_context
    def apply(context: Context, source: Any, *arguments: Any) -> Spoken:
        if isinstance(source, jinja2.Undefined):
            str(source)  # StrictUndefined: raises, naming the variable
        if not isinstance(source, (Spoken, str, int, float)) or isinstance(source, bool):
            raise SpeechError(f"{name} takes a variable, a number or text in quotes")
        plain = [arg.value if isinstance(arg, Spoken) else arg for arg in arguments]
        value = source.value if isinstance(source, Spoken) else source
        given = [one.name for one in (source, *arguments) if isinstance(one, Spoken) and one.name]
        variable = ", ".join(dict.fromkeys(given))
        try:
            return Spoken(convert(value, *plain), context[_SLOTS], variable)
        except SpeechError as error:
            error.variable = variable
            raise

    return apply


def _finalize(value: object) -> object:
    if isinstance(value, (Spoken, str, jinja2.Undefined)):
        return value
    raise SpeechError("a bare number cannot be read aloud; say what it is: {{ 3 | count }}")


def _missing_name(error: jinja2.UndefinedError) -> str:
    found = re.match(r"'([^']+)' is undefined", str(error))
    return found.group(1) if found else ""


def _reason(error: Exception) -> str:
    if isinstance(error, TypeError) and "positional argument" in str(error):
        return "a filter has too many or too few arguments; docs/speech.md shows them"
    return str(error)


def _line(error: BaseException) -> int:
    """Jinja has put the template's own lines into the traceback."""
    return max(_template_lines(error.__traceback__), default=1)


def _template_lines(trace: TracebackType | None) -> Iterator[int]:
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            yield trace.tb_lineno
        trace = trace.tb_next


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, autoescape=False, finalize=_finalize, cache_size=0
    )
    environment.globals.clear()
    environment.filters = {name: _as_filter(name, made) for name, made in FILTERS.items()}
    environment.tests = {
        name: environment.tests[name]
        for name in ("defined", "undefined", "eq", "ne", "lt", "le", "gt", "ge", "in")
    }
    return environment


_ENVIRONMENT = _environment()

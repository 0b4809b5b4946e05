"""What the journal holds, as bytes and back: a snapshot of the dialer, then what it was told.

Pickle, for the snapshot is a graph in which identity matters (the core asks whether a call was
planned by the very campaign that runs now). Three things are done for it here:

- Frozen dataclasses are written as their class and values, without a call of Python a field.
- Attempts, targets and campaigns are written once a segment, by number afterwards: a call costs a
  third of what it did, and what was one object is one object again, over all blocks of a segment.
- Reading takes classes of the core, and a few values of the standard library; nothing else, and
  never a function.

An entry is one event and what was decided: (event, now, commands, error). error: the name of what
the dialer raised, empty where it raised nothing.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from operator import attrgetter
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, TypeAlias

from duecall.core import (
    attempt,
    commands,
    contact,
    events,
    gate_types,
    moment,
    outcome,
    verdict,
)
from duecall.core.attempt import Attempt, Target
from duecall.core.campaign import Campaign
from duecall.core.dialer import Dialer
from duecall.core.moment import Moment

PROTOCOL = 5
NUMBERED_MAX = 4_000  # attempts and targets that the writer remembers to have written
VALUE_MODULES: tuple[ModuleType, ...] = (
    attempt,
    commands,
    contact,
    events,
    gate_types,
    moment,
    outcome,
    verdict,
)
# What may be built beside the classes of the core: values, that can do nothing.
VALUES = {
    ("collections", "Counter"),
    ("collections", "deque"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "time"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("decimal", "Decimal"),
}
CORE, CONTRACT = "duecall.core.", "fs_scripts.contract"


class Entry(NamedTuple):
    """One event, the moment it was handled, and what came of it."""

    event: events.Event
    now: Moment
    commands: tuple[commands.Command, ...]
    error: str = ""


RawEntry: TypeAlias = tuple[events.Event, Moment, tuple[commands.Command, ...], str]
_Reduced: TypeAlias = tuple[Any, ...]
_Reducer: TypeAlias = Callable[[Any], _Reduced]


class UnknownContent(ValueError):
    """It says something that this version of Duecall does not know, or must not do."""


# ---- what stands in the bytes for what has no bytes of its own; `Decoder` gives them a meaning


def first(number: int, kind: type[Any], *values: Any) -> Any:
    """The object with this number, written for the first time."""
    raise UnknownContent("read by Decoder alone")


def again(number: int) -> Any:
    """The object that was written with this number before."""
    raise UnknownContent("read by Decoder alone")


def method(owner: Any, name: str) -> Any:
    """A bound method: the core keeps some as handlers."""
    raise UnknownContent("read by Decoder alone")


class Encoder:
    """Of one segment. The snapshot comes first; then blocks of entries, in their order."""

    def __init__(self) -> None:
        self._written = 0
        self._known: dict[int, tuple[int, Any]] = {}  # id -> number, and the object: it must live
        self._campaigns: dict[int, tuple[int, Any]] = {}
        table: dict[type[Any], Any] = {**copyreg.dispatch_table, **_OF_VALUES}
        table[MethodType] = _of_method
        for kind in (Attempt, Target):
            table[kind] = self._numbered(kind, _OF_VALUES[kind])
        table[Campaign] = self._of_campaign
        self._table = table

    def snapshot(self, dialer: Dialer) -> bytes:
        """All that the dialer knows."""
        return self._pickled(dialer)

    def block(self, entries: Iterable[RawEntry]) -> bytes:
        """Entries; and the number below which nothing is named again, 0 where there is none."""
        forget_below = 0
        if len(self._known) > NUMBERED_MAX:
            self._known.clear()
            forget_below = self._written + 1
        # Two values, not a Moment: one object less for each entry is a tenth of the cost.
        flat = [
            (event, now.wall, now.mono_s, decided, error) for event, now, decided, error in entries
        ]
        return self._pickled((forget_below, flat))

    def _pickled(self, value: Any) -> bytes:
        out = io.BytesIO()
        pickler = pickle.Pickler(out, PROTOCOL)
        pickler.dispatch_table = self._table
        pickler.dump(value)
        return out.getvalue()

    def _numbered(self, kind: type[Any], of_value: _Reducer) -> _Reducer:
        known = self._known

        def reduced(value: Any) -> _Reduced:
            found = known.get(id(value))
            if found is not None:
                return again, (found[0],)
            self._written += 1
            known[id(value)] = self._written, value
            return first, (self._written, kind, *of_value(value)[1])

        return reduced

    def _of_campaign(self, campaign: Campaign) -> _Reduced:
        found = self._campaigns.get(id(campaign))
        if found is not None:
            return again, (found[0],)
        self._written += 1
        self._campaigns[id(campaign)] = self._written, campaign
        return first, (self._written, Campaign), campaign.__getstate__()


class Decoder:
    """Of one segment: the same bytes in the same order. UnknownContent where they are not ours."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}
        self._campaigns: dict[int, Any] = {}

    def snapshot(self, data: bytes) -> Dialer:
        value = self._unpickled(data)
        if not isinstance(value, Dialer):
            raise UnknownContent("no snapshot of a dialer")
        return value

    def block(self, data: bytes) -> list[Entry]:
        value = self._unpickled(data)
        try:
            forget_below, entries = value
            if forget_below:
                kept = {n: known for n, known in self._known.items() if n >= forget_below}
                self._known = kept
            return [
                Entry(event, Moment(wall, mono_s), decided, error)
                for event, wall, mono_s, decided, error in entries
            ]
        except (TypeError, ValueError):
            raise UnknownContent("no block of entries") from None

    def _unpickled(self, data: bytes) -> Any:
        markers: dict[str, Callable[..., Any]] = {
            "first": self._first,
            "again": self._again,
            "method": _method,
        }
        try:
            return _Unpickler(data, markers).load()
        except UnknownContent:
            raise
        except Exception as error:
            # Whatever a class of another version makes of these values.
            raise UnknownContent(f"{type(error).__name__}: {error}") from error

    def _first(self, number: int, kind: type[Any], *values: Any) -> Any:
        if kind is Campaign:
            campaign = self._campaigns[number] = Campaign.__new__(Campaign)
            return campaign
        if kind not in (Attempt, Target):
            raise UnknownContent(f"{kind} has no numbers")
        value = self._known[number] = kind(*values)
        return value

    def _again(self, number: int) -> Any:
        return self._campaigns[number] if number in self._campaigns else self._known[number]


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, markers: dict[str, Callable[..., Any]]) -> None:
        super().__init__(io.BytesIO(data))
        self._markers = markers

    def find_class(self, module: str, name: str) -> Any:
        """Nothing is imported for it: what the dialer needs is here already."""
        if module == __name__ and name in self._markers:
            return self._markers[name]
        found = getattr(sys.modules.get(module), name, None) if "." not in name else None
        if (module, name) in VALUES:
            return found
        ours = module.startswith(CORE) or module == CONTRACT
        if ours and isinstance(found, type) and found.__module__ == module:
            return found
        raise UnknownContent(f"{module}.{name} has no place in a journal")


def _of_value(kind: type[Any]) -> _Reducer:
    """A frozen dataclass is its class and its values."""
    names = [field.name for field in fields(kind)]
    if not names:
        return lambda value: (kind, ())
    get = attrgetter(*names)
    if len(names) == 1:
        return lambda value: (kind, (get(value),))
    return lambda value: (kind, get(value))


def _of_method(bound: MethodType) -> _Reduced:
    return method, (bound.__self__, bound.__func__.__name__)


def _method(owner: Any, name: str) -> Any:
    """Only of an object of the core, and only what its class defines."""
    function = getattr(type(owner), name, None)
    if not type(owner).__module__.startswith(CORE) or not isinstance(function, FunctionType):
        raise UnknownContent(f"{type(owner).__name__} has no method {name}")
    return MethodType(function, owner)


def _of_member(member: Enum) -> _Reduced:
    """Some versions of Python write `getattr` and the name, which is not to be read."""
    return type(member), (member.value,)


def _reducers() -> Iterator[tuple[type[Any], _Reducer]]:
    for module in VALUE_MODULES:
        for kind in vars(module).values():
            if not isinstance(kind, type) or kind.__module__ != module.__name__:
                continue
            if issubclass(kind, Enum):
                yield kind, _of_member
            elif is_dataclass(kind) and kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
                yield kind, _of_value(kind)


_OF_VALUES = dict(_reducers())

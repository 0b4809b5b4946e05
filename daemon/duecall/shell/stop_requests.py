"""A stop that another program asks the running daemon for: an agent's desk, the bank's own systems.

{"do": "add_stop", "attempt": ID, "kind": "opted_out", "source": "agent lan"}: the callee of that
call. In place of `attempt` one of "number" (E.164), "prefix", "contract", "person" (a contract
number); "campaign" (left out: all) and "until" (left out: for ever) as `duecall dnc add` has them.
{"do": "lift_stop", …} takes the same, and lifts the stops of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast, get_args

from duecall.core.contact_phone import PhoneError
from duecall.shell.clock import now
from duecall.shell.column_values import to_us
from duecall.shell.control import ControlError
from duecall.shell.database import StoreError
from duecall.shell.stop_files import stop_value, until_of
from duecall.shell.stop_list import Named, StopError, What
from duecall.shell.store import Store

ATTEMPT = "attempt"
WHATS: tuple[What, ...] = get_args(What)
OTHERS = frozenset({"do", "kind", "campaign", "until", "source"})


def add_stop(store: Store, request: Mapping[str, Any]) -> dict[str, Any]:
    """added: False where it was stopped before, as long or longer. ControlError for people."""

    def add() -> dict[str, Any]:
        named, at = _named(store, request), now().wall
        if named.until_us is not None and named.until_us <= to_us(at):
            problem = f"until {request['until']} is over already, and would stop nobody"
            raise StopError(problem, "name a later day")
        return {"added": store.stop_list.add(named, at)}

    return _told(add)


def lift_stop(store: Store, request: Mapping[str, Any]) -> dict[str, Any]:
    """lifted: how many stops. ControlError for people."""

    def lift() -> dict[str, Any]:
        named = _named(store, request)
        found = store.stop_list.find(named)
        return {"lifted": store.stop_list.lift(found, named.source, now().wall)}

    return _told(lift)


def _told(do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return do()
    except (StopError, PhoneError, StoreError) as error:
        raise ControlError(str(error)) from None


def _named(store: Store, request: Mapping[str, Any]) -> Named:
    given = {key: str(value) for key, value in request.items() if value not in (None, "")}
    whose = [key for key in (ATTEMPT, *WHATS) if key in given]
    unknown = sorted(set(given) - {ATTEMPT, *WHATS} - OTHERS)
    if unknown:
        raise ControlError(f"unknown {unknown[0]!r}; there are: {', '.join(sorted(OTHERS))}")
    if len(whose) != 1:
        raise ControlError(f"name one of: {', '.join((ATTEMPT, *WHATS))}")
    if "source" not in given:
        raise ControlError("name a source: who says so, such as an agent; no names of callees")
    (key,) = whose
    what: What = "number" if key == ATTEMPT else cast(What, key)
    if key == ATTEMPT:
        value = store.stop_list.number_of(given[key])
    else:
        value = stop_value(what, given[key])
    until = given.get("until")
    return Named(
        what,
        value,
        given.get("kind", "dnc"),
        given.get("campaign", ""),
        until_of(until) if until else None,
        given["source"],
    )

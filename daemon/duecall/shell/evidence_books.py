"""Whether the attempts that evidence shows are those that the ledger tells of.

The ledger's entries are proved by their hashes; the attempts' rows are proved by its entries. So a
row that somebody has changed is told where it is shown, and not by `duecall audit` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from duecall.shell.column_values import to_us
from duecall.shell.database import chunks, marks
from duecall.shell.ledger_entries import NO_PROMISE, said_text
from duecall.shell.store_parts import StoreParts

_SAID = f"""SELECT x.id, x.action, x.keys, x.answers, coalesce(p.due, '{NO_PROMISE}')
    FROM attempt x LEFT JOIN promise p ON p.attempt_id = x.id WHERE x.id IN ({{}})"""
_BEGAN = "SELECT min(at) FROM ledger WHERE lender_id = ? AND seq = 1"
_OF_END = ("outcome", "cause", "heard_ms", "events", "channels")


def disagreements(
    parts: StoreParts,
    attempts: Sequence[Mapping[str, Any]],
    entries: Sequence[Mapping[str, Any]],
) -> list[str]:
    """What is wrong, a line each. attempts, entries: as `PersonExport` gives them, of the same
    targets."""
    by_kind: dict[tuple[str, str], Mapping[str, Any]] = {}
    for entry in entries:
        by_kind.setdefault((entry["kind"], entry["attempt_id"]), entry)
    (began,) = parts.database.run(_BEGAN, (parts.lender,)).fetchone()
    said = _said(parts, [one["id"] for one in attempts])
    found = []
    for one in attempts:
        call, ended = by_kind.get(("call", one["id"])), by_kind.get(("ended", one["id"]))
        if call is None:
            if began is not None and _us(one["saved_at"]) >= began:
                found.append(f"attempt {one['id']}: the ledger has no decision to make this call")
            continue
        told = [*_of_call(one, call), *_of_end(one, ended, said[one["id"]])]
        if told:
            found.append(f"attempt {one['id']} is NOT what the ledger says: {'; '.join(told)}")
    return found


def _of_call(one: Mapping[str, Any], call: Mapping[str, Any]) -> Iterator[str]:
    body = call["body"]
    yield from _differing("saved_at", _us(one["saved_at"]), call["at"])
    yield from _differing("try", one["number"], body["try"])
    yield from _differing("campaign", one["campaign"], body["campaign"])


def _of_end(one: Mapping[str, Any], ended: Mapping[str, Any] | None, said: str) -> Iterator[str]:
    settled = one["settled_at"]
    if ended is None or settled is None:
        if settled is not None:
            yield "it has ended, and the ledger does not say how"
        elif ended is not None:
            yield f"it has not ended, the ledger has {ended['body']['outcome']}"
        return
    body = ended["body"]
    yield from _differing("settled_at", _us(settled), ended["at"])
    for name in _OF_END:
        yield from _differing(name, one[name], body[name])
    if "sent" in body:  # entries of an older Duecall do not tell it
        yield from _differing("sent_at", _us(one["sent_at"]), body["sent"])
    if body.get("said", said) != said:
        yield "keys, answers or the promised day are others"


def _differing(name: str, shown: Any, known: Any) -> Iterator[str]:
    if shown != known:
        yield f"{name} is {shown}, the ledger has {known}"


def _said(parts: StoreParts, ids: Sequence[str]) -> dict[str, str]:
    found = {}
    for some in chunks(ids):
        for attempt, *told in parts.database.run(_SAID.format(marks(some)), some).fetchall():
            found[attempt] = parts.vault.keyed_hash("said", said_text(*told))
    return found


def _us(text: str | None) -> int | None:
    return None if text is None else to_us(datetime.fromisoformat(text))

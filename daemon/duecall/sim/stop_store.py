"""Stops: who must not be called, by number, contact, account or prefix; in one campaign or in all;
for ever or until a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from duecall.core import gate_types
from duecall.core.attempt import Target

KINDS = ("dnc", "dispute", "bankrupt", "deceased", "wrong_party", "third_party")
KEY_KINDS = ("number", "contact", "account", "prefix")


@dataclass(frozen=True, slots=True)
class NewStop:
    """campaign: empty for all. expires_us: None is never."""

    key_kind: str
    key: str
    kind: str
    campaign: str = ""
    expires_us: int | None = None
    source: str = "story"

    @property
    def ends_targets(self) -> bool:
        """Its targets are done with at once, and nobody looks at them again."""
        return self.key_kind == "number" and not self.campaign and self.expires_us is None

    @property
    def name(self) -> str:
        """One row of the table."""
        return f"{self.kind} {self.key_kind} {self.key} {self.campaign}"


class StopStore:
    def __init__(self) -> None:
        self._rows: dict[str, NewStop] = {}
        self._by_key: dict[tuple[str, str], dict[str, NewStop]] = {}

    def __iter__(self) -> Iterator[NewStop]:
        return iter(list(self._rows.values()))

    def add(self, stop: NewStop) -> bool:
        """False: it was stopped before, as long or longer."""
        old = self._rows.get(stop.name)
        if old is not None:
            longer = old.expires_us is not None and (
                stop.expires_us is None or stop.expires_us > old.expires_us
            )
            if not longer:
                return False
        self._rows[stop.name] = stop
        self._by_key.setdefault((stop.key_kind, stop.key), {})[stop.name] = stop
        return True

    def lift(self, stop: NewStop) -> None:
        del self._rows[stop.name]
        del self._by_key[stop.key_kind, stop.key][stop.name]

    def of(self, target: Target, now_us: int) -> tuple[gate_types.Stop, ...]:
        """Those that hold now, for its campaign; those for ever first."""
        if not self._rows:
            return ()
        phone = target.contact.phone
        keys = [
            ("number", target.phone_hash),
            ("contact", target.contact_key),
            ("account", target.account_key),
            *(("prefix", phone[:n]) for n in range(2, 11)),
        ]
        found = [
            stop
            for key in keys
            for stop in self._by_key.get(key, {}).values()
            if stop.campaign in ("", target.campaign)
            and (stop.expires_us is None or stop.expires_us > now_us)
        ]
        found.sort(key=lambda stop: (stop.expires_us is not None, stop.kind))
        return tuple(
            gate_types.Stop(stop.kind, _scope(stop), stop.expires_us, stop.source) for stop in found
        )

    def number_is_stopped(self, number: str) -> bool:
        """For ever, in all campaigns."""
        return any(stop.ends_targets for stop in self._by_key.get(("number", number), {}).values())


def reaches(stop: NewStop, target: Target) -> bool:
    """Whether it is about this target."""
    if stop.campaign not in ("", target.campaign):
        return False
    if stop.key_kind == "prefix":
        return target.contact.phone.startswith(stop.key)
    key = {
        "number": target.phone_hash,
        "contact": target.contact_key,
        "account": target.account_key,
    }[stop.key_kind]
    return key == stop.key


def _scope(stop: NewStop) -> str:
    whom = {
        "number": "this number",
        "contact": "this person",
        "account": "this contract",
        "prefix": f"numbers with {stop.key}",
    }[stop.key_kind]
    return f"{whom} in campaign {stop.campaign}" if stop.campaign else f"{whom} in all campaigns"

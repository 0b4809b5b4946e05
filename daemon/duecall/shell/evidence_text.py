"""The summary of `duecall evidence`, for people: what happened, by the callee's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from duecall.core.outcome import NOT_SENT
from duecall.shell.column_values import from_us


class Moment(NamedTuple):
    at: datetime
    zone: ZoneInfo

    def __str__(self) -> str:
        return f"{self.at.astimezone(self.zone):%Y-%m-%d %H:%M:%S %Z}"


class Timeline:
    """Lines with their times, to be told in order."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._lines: list[tuple[datetime, str]] = []

    def lines(self) -> list[tuple[str, str]]:
        return [(str(Moment(at, self._zone)), text) for at, text in sorted(self._lines)]

    def attempt(self, one: Mapping[str, Any], phone: str) -> None:
        """one: as person_export has it, with recording_is."""
        sent = one["sent_at"]
        if sent is None:
            why = "was not sent" if one["cause"] == NOT_SENT or one["outcome"] else "is being sent"
            self._add(one["saved_at"], f"A call (try {one['number']}) was decided and {why}.")
        else:
            self._add(
                sent, f"**Called** {phone} (try {one['number']}, campaign {one['campaign']})."
            )
        for name, text in (
            ("rang_at", "It rang."),
            ("answered_at", "Answered."),
            ("bridged_at", "Connected to an agent."),
        ):
            if one[name]:
                self._add(one[name], text)
        if one["settled_at"]:
            self._add(one["settled_at"], self._end(one))

    def _end(self, one: Mapping[str, Any]) -> str:
        text = f"Ended: **{one['outcome']}**"
        if one["message_ms"]:
            text += f", {100 * one['heard_ms'] / one['message_ms']:.0f} % of the message heard"
        if one["keys"]:
            text += ", keys " + " ".join(key["key"] for key in one["keys"])
        if one["recording_is"]:
            text += f"; its recording: {one['recording_is']}"
        return text + f". (attempt {one['id']})"

    def entry(self, entry: Mapping[str, Any]) -> None:
        """Of the ledger: refusals; the calls themselves are told by the attempts."""
        if entry["kind"] != "refused":
            return
        body = entry["body"]
        text = f"Not called: {body['reason']}"
        if body.get("rule"):
            text += f" (rule `{body['rule']}`)"
        if body.get("until"):
            text += f"; to be looked at again {Moment(from_us(body['until']), self._zone)}"
        self._lines.append((from_us(entry["at"]), text + "."))

    def stop(self, stop: Mapping[str, Any]) -> None:
        where = f"in campaign {stop['campaign']}" if stop["campaign"] else "in all campaigns"
        until = f" until {stop['expires']}" if stop["expires"] else ""
        text = f"Stopped: {stop['kind']}, for this {stop['of']}, {where}{until} ({stop['source']})."
        self._add(stop["at"], text)

    def promise(self, promise: Mapping[str, Any]) -> None:
        due = f" by {promise['due']}" if promise["due"] else ""
        self._add(promise["at"], f"Promised to pay{due}.")

    def _add(self, at: str, text: str) -> None:
        self._lines.append((datetime.fromisoformat(at), text))


def summary_text(
    contract: str,
    person: Sequence[tuple[str, str]],
    timeline: Timeline,
    attempts: Sequence[Mapping[str, Any]],
    gone: int,
    problems: Sequence[str],
    made: Moment,
) -> str:
    """gone: calls whose rows were removed when their time was over."""
    lines = [
        f"# Contract {_plain(contract)}",
        "",
        f"Made {made}. All times by the callee's clock.",
        "",
    ]
    if problems:
        lines += ["## PROBLEMS", "", *(f"- {_plain(problem)}" for problem in problems), ""]
    lines += [f"- {name}: {_plain(value)}" for name, value in person]
    sent = [one for one in attempts if one["sent_at"]]
    lines.append(f"- calls: {len(sent)} of {len(attempts)} decided")
    if gone:
        lines.append(f"- calls of which only the ledger tells, for their time was over: {gone}")
    lines += ["", "## What happened", ""]
    lines += [f"- {at} {_plain(text)}" for at, text in timeline.lines()] or ["Nothing."]
    lines += [
        "",
        "## The files",
        "",
        "- `attempts.csv`, `keys.csv`, `promises.csv`, `stops.csv`: the rows, times in UTC",
        "- `recordings/`: the calls that were recorded; their hashes are those of the ledger",
        "- `transcripts.jsonl`, where there is one: what a program heard in them; it errs, and the",
        "  recording is what was said",
        "- `ledger.jsonl`: each decision with its place in the chain (`chain`, `seq`), its hash,",
        "  and the hash before it (`prev`); docs/rules.md says what the hash is of",
        "- `rules/`: the rules that the decisions name, and the campaign files, by their SHA-256",
        "- `SHA256SUMS`: of all files here; check with `sha256sum --check SHA256SUMS`",
        "",
    ]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """On one line, so that no value makes a heading of itself."""
    return " ".join(text.split())

"""`duecall evidence`: one folder with all that shows what was done about one contract, and by which
rules, for a complaint or a court.

The folder stands there whole, or not at all. What does not agree with the ledger is a problem: it
is told in the summary and by the command. The ledger's entries are copied with their places in the
chains and the hash before each, so that each can be verified by itself.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from duecall.core.callee_zones import zones_of
from duecall.shell.call_files import CallFiles, sum_of
from duecall.shell.database import chunks, marks
from duecall.shell.evidence_books import disagreements
from duecall.shell.evidence_text import Moment, Timeline, summary_text
from duecall.shell.ledger import canonical, entry_text
from duecall.shell.person_export import PersonExport
from duecall.shell.person_store import AccountEntry, Person
from duecall.shell.report_csv import guarded
from duecall.shell.store_parts import StoreParts
from duecall.shell.vault import mask_phone

SAME, DIFFERS, MISSING, UNKNOWN, REMOVED, NONE = (
    "as in the ledger",
    "DIFFERS from the ledger",
    "MISSING",
    "not in the ledger yet",
    "removed since",
    "",
)
_KEY_COLUMNS = ("attempt", "step", "key", "at_ms", "meant", "spoken", "sureness")
ATTEMPT_COLUMNS = (
    "attempt", "campaign", "try", "phone", "local_time", "saved_at", "sent_at", "rang_at",
    "answered_at", "bridged_at", "settled_at", "outcome", "cause", "sip_status", "keys", "answers",
    "heard_ms", "message_ms", "talk_ms", "recording", "recording_sha256", "recording_is", "rules",
    "ledger_chain", "ledger_seq", "error",
)  # fmt: skip


@dataclass(slots=True)
class Evidence:
    """problems: each has to be looked at. folder: where all of it lies now."""

    folder: Path
    attempts: int = 0
    entries: int = 0
    recordings: int = 0
    problems: list[str] = field(default_factory=list)


class EvidenceWriter:
    """full_phones: numbers whole, not masked. now: for the summary."""

    def __init__(
        self, parts: StoreParts, files: CallFiles, now: datetime, *, full_phones: bool
    ) -> None:
        self._parts = parts
        self._files = files
        self._now = now
        self._full_phones = full_phones
        self._export = PersonExport(parts)

    def write(self, person: Person, account: AccountEntry, contract: str, out: Path) -> Evidence:
        """Make the folder. Within one `reading`. OSError; FileExistsError where `out` is there."""
        if out.exists():
            raise FileExistsError(f"{out} is there already; name another folder with --out")
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))  # 0700 by itself
        try:
            done = self._fill(part, person, account, contract)
            _write_sums(part)
            os.rename(part, out)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        done.folder = out
        return done

    def _fill(self, out: Path, person: Person, account: AccountEntry, contract: str) -> Evidence:
        done = Evidence(out)
        targets = self._export.targets([account.id])
        ids = [one.id for one in person.attempts if one.account_id == account.id]
        attempts = self._export.attempts(ids)
        entries = self._export.ledger([target["id"] for target in targets])
        stops = self._export.stops(person)
        promises = self._export.promises([account.id])
        zones = self._zones(person, account, entries)
        zone = _zone(zones, done.problems)
        sums = {entry["attempt_id"]: entry["body"] for entry in entries
                if entry["kind"] == "recording"}  # fmt: skip
        calls = {entry["attempt_id"]: entry for entry in entries if entry["kind"] == "call"}
        for attempt in attempts:
            its = sums.get(attempt["id"])
            attempt["recording_sha256"] = its["sha256"] if its else ""
            attempt["recording_is"] = self._copy_recording(out, attempt, its, done)
        self._write_transcripts(out, ids, done)
        unsound = self._write_ledger(out, entries, done)
        sound = [one for one in attempts if one["id"] not in unsound]
        done.problems += disagreements(self._parts, sound, entries)
        self._write_rules(out, entries, done)
        self._write_attempts(out, attempts, calls, zone)
        _write_csv(out / "keys.csv", _KEY_COLUMNS, (
            (one["id"], key["step"], key["key"], key["at_ms"], key.get("meant", True),
             key.get("spoken", ""), key.get("sureness", 0) if key.get("spoken") else "")
            for one in attempts for key in one["keys"]
        ))  # fmt: skip
        _write_csv(out / "promises.csv", ("attempt", "due", "at"), (
            (one["attempt"], one["due"], one["at"]) for one in promises
        ))  # fmt: skip
        _write_csv(out / "stops.csv", ("of", "kind", "campaign", "expires", "source", "at"), (
            tuple(stop[name] for name in ("of", "kind", "campaign", "expires", "source", "at"))
            for stop in stops
        ))  # fmt: skip
        gone = [calls[one] for one in calls if one not in {a["id"] for a in attempts}]
        timeline = Timeline(zone)
        for attempt in attempts:
            timeline.attempt(attempt, self._shown(attempt["phone"]))
        for entry in entries:
            timeline.entry(entry)
        for stop in stops:
            timeline.stop(stop)
        for promise in promises:
            timeline.promise(promise)
        done.attempts, done.entries = len(attempts), len(entries)
        text = summary_text(
            contract,
            self._person_lines(person, account, zones),
            timeline,
            attempts,
            len(gone),
            done.problems,
            Moment(self._now, zone),
        )
        (out / "summary.md").write_text(text, encoding="utf-8")
        return done

    # ---- who, and where

    def _person_lines(
        self, person: Person, account: AccountEntry, zones: Sequence[str]
    ) -> list[tuple[str, str]]:
        contact = next((c.contact for c in person.contacts if c.id == account.contact_id), None)
        erased = contact is None or not contact.phone
        lines = [("name", "(erased)" if contact is None or erased else contact.name)]
        lines.append(("number now", "(erased)" if contact is None or erased else
                      self._shown(contact.phone)))  # fmt: skip
        lines.append(("time zone", " or ".join(zones) or "not known"))
        lines.append(("due", account.due_date))
        return lines

    def _zones(
        self, person: Person, account: AccountEntry, entries: Sequence[Mapping[str, Any]]
    ) -> tuple[str, ...]:
        """Where the callee is, as the last decision to call took it; else as the number says."""
        for entry in reversed(entries):
            if entry["kind"] == "call" and entry["body"].get("zones"):
                return tuple(map(str, entry["body"]["zones"]))
        contact = next((c.contact for c in person.contacts if c.id == account.contact_id), None)
        if contact is None or not contact.phone:
            return ()
        return zones_of(contact.phone, contact.zone, ())

    def _shown(self, phone: str | None) -> str:
        if not phone:
            return "(erased)"
        return phone if self._full_phones else mask_phone(phone)

    # ---- the files

    def _copy_recording(
        self, out: Path, attempt: Mapping[str, Any], its: Mapping[str, Any] | None, done: Evidence
    ) -> str:
        """Copy it, and compare its hash with the ledger's. What it is."""
        name, known = attempt["recording"], (its or {}).get("sha256", "")
        if not name:
            return REMOVED if known else NONE
        target = out / "recordings" / name
        try:
            path = self._files.recording(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            found = sum_of(target).sha256
        except (OSError, ValueError) as error:
            if its is not None and not known:
                return MISSING  # it was never there, and the ledger says so
            why = getattr(error, "strerror", None) or str(error)
            done.problems.append(f"the recording {name} of attempt {attempt['id']}: {why}")
            return MISSING
        done.recordings += 1
        if not known:
            return UNKNOWN
        if found != known:
            done.problems.append(
                f"the recording {name} of attempt {attempt['id']} is NOT the one that was made: "
                f"SHA-256 {found}, and the ledger has {known}"
            )
            return DIFFERS
        return SAME

    def _write_transcripts(self, out: Path, ids: Sequence[str], done: Evidence) -> None:
        """transcripts.jsonl, one a line, where there is any; of recordings that are kept."""
        found = self._export.transcripts(ids)
        if not found:
            return
        with (out / "transcripts.jsonl").open("w", encoding="utf-8") as file:
            for one in found:
                file.write(json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n")
                if one["phrases"] is None:
                    done.problems.append(f"no key opens the transcript of attempt {one['attempt']}")

    def _write_ledger(
        self, out: Path, entries: Sequence[Mapping[str, Any]], done: Evidence
    ) -> set[str]:
        """Attempts of which an entry is not what was written."""
        unsound = set()
        with (out / "ledger.jsonl").open("w", encoding="utf-8") as file:
            for entry in entries:
                before = self._before(entry["chain"], entry["seq"])
                body = canonical(entry["body"])
                if before is None or not self._is_as_written(entry, before, body):
                    unsound.add(entry["attempt_id"])
                    place = f"{entry['chain']} {entry['seq']}"
                    done.problems.append(
                        f"entry {place} of the ledger is not what was written: duecall audit"
                    )
                line = {**entry, "body": body, "prev": before}
                file.write(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n")
        return unsound

    def _is_as_written(self, entry: Mapping[str, Any], before: str, body: str) -> bool:
        vault = self._parts.vault
        facts = (entry["at"], entry["kind"], entry["target_id"], entry["attempt_id"], body)
        return any(
            vault.ledger_hash(entry_text(tie, entry["chain"], entry["seq"], *facts))
            == entry["hash"]
            for tie in (vault.ledger_tie(before), before)
        )

    def _before(self, chain: str, seq: int) -> str | None:
        """The hash of the entry before; None: it is gone."""
        if seq == 1:
            return ""
        sql = "SELECT hash FROM ledger WHERE lender_id = ? AND chain = ? AND seq = ?"
        values = (self._parts.lender, chain, seq - 1)
        found = self._parts.database.run(sql, values).fetchone()
        return None if found is None else str(found[0])

    def _write_rules(self, out: Path, entries: Sequence[Mapping[str, Any]], done: Evidence) -> None:
        """All documents that the entries name: rules in effect, and campaign files."""
        wanted: dict[str, str] = {}
        for entry in entries:
            for name, suffix in (("rules", ".json"), ("campaign_digest", ".yaml")):
                if digest := entry["body"].get(name):
                    wanted[digest] = suffix
        folder = out / "rules"
        folder.mkdir()
        texts: dict[str, str] = {}
        for some in chunks(sorted(wanted)):
            sql = f"""SELECT digest, text FROM document WHERE lender_id = ?
                AND digest IN ({marks(some)})"""
            texts.update(self._parts.database.run(sql, (self._parts.lender, *some)).fetchall())
        for digest, suffix in wanted.items():
            if digest in texts:
                (folder / f"{digest}{suffix}").write_text(texts[digest], encoding="utf-8")
            elif suffix == ".json":
                done.problems.append(f"the rules {digest} are not in the database any more")

    def _write_attempts(
        self,
        out: Path,
        attempts: Iterable[Mapping[str, Any]],
        calls: Mapping[str, Mapping[str, Any]],
        zone: ZoneInfo,
    ) -> None:
        def rows() -> Iterable[tuple[Any, ...]]:
            for one in attempts:
                call = calls.get(one["id"], {})
                body = call.get("body", {})
                local = datetime.fromisoformat(one["sent_at"] or one["saved_at"]).astimezone(zone)
                keys = " ".join(f"{key['step']}:{key['key']}" for key in one["keys"])
                answers = " ".join(f"{name}={value}" for name, value in one["answers"].items())
                values = {
                    **one,
                    "attempt": one["id"],
                    "try": one["number"],
                    "phone": self._shown(one["phone"]),
                    "local_time": local.isoformat(timespec="seconds"),
                    "keys": keys,
                    "answers": answers,
                    "rules": body.get("rules", ""),
                    "ledger_chain": call.get("chain", ""),
                    "ledger_seq": call.get("seq", ""),
                }
                yield tuple(values[name] for name in ATTEMPT_COLUMNS)

        _write_csv(out / "attempts.csv", ATTEMPT_COLUMNS, rows())


def _zone(zones: Sequence[str], problems: list[str]) -> ZoneInfo:
    try:
        return ZoneInfo(zones[0] if zones else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        problems.append(f"the time zone {zones[0]} is not known here: the times are in UTC")
        return ZoneInfo("UTC")


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in rows:
            writer.writerow(["" if cell is None else guarded(str(cell)) for cell in row])


def _write_sums(folder: Path) -> None:
    """For `sha256sum --check SHA256SUMS`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{sum_of(path).sha256}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")

"""The CSV report: a row an attempt, no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duecall.core.commands import SaveAttempt
from duecall.core.outcome import Outcome
from duecall.core.report import VoiceLine, summarise
from duecall.shell.report_csv import COLUMNS, guarded, write_report
from duecall.shell.store import Store
from fs_scripts.contract import KeyPress, Result
from tests.shell.store_world import NAME, NOON, attempt, loaded, outcome, row, save


def report(store: Store, full_phones: bool = False) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    with store.reading():
        count = write_report(out, store.attempts(NAME, unseal=True), full_phones=full_phones)
    found = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert len(found) == count
    return found


def test_row_says_what_happened(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1)
    (target,) = store.due_targets(NAME, NOON, 1)
    planned = attempt(target)
    keys = (KeyPress("7", 10, "message", False), KeyPress("1", 20, "q1"))
    said = Result(planned.id, "completed", "", keys, {"q1": "yes"}, 500, 1000, 2500)
    store.apply([save(target), outcome(planned, Outcome.SURVEYED, said=said, recording="a.wav")])
    (line,) = report(store)
    assert line == {
        "time": "2026-11-23T05:00:00+00:00",
        "contract": "HD-0000001",
        "phone": "'+84…001",
        "name": "Nguyễn Văn 1",
        "outcome": "surveyed",
        "cause": "USER_BUSY",
        "sip_status": "486",
        "number": "1",
        "ring_s": "",
        "talk_s": "2.5",
        "keys": "message:7 q1:1",
        "answers": "q1=yes",
        "share_heard": "0.50",
        "promised_for": "",
        "recording": "a.wav",
        "error": "",
        "trunk": "demo",
        "voice": "",
        "voice_stands_in": "",
        "attempt": planned.id,
    }
    assert list(line) == list(COLUMNS)
    assert report(store, full_phones=True)[0]["phone"] == "'" + row(1).contact.phone


def test_who_spoke_is_kept_and_told(tmp_path: Path) -> None:
    store = loaded(tmp_path, 5)
    voices = [("coqui:anna", 0), ("coqui:anna", 0), ("espeak:vi", 1), ("espeak:vi", 0), ("", 0)]
    for target, (voice, turn) in zip(store.due_targets(NAME, NOON, 5), voices, strict=True):
        planned = attempt(target)
        spoken = replace(planned.target, voice=voice, voice_turn=turn)
        done = store.apply([SaveAttempt(replace(planned, target=spoken))])
        assert done.saved
    with store.reading():
        summary = summarise(store.attempts(NAME), store.targets(NAME))
    assert summary.voices == (VoiceLine("coqui:anna", 2, 0), VoiceLine("espeak:vi", 2, 1))
    told = [(line["voice"], line["voice_stands_in"]) for line in report(store)]
    expected = [(voice, "yes" if turn else "") for voice, turn in voices]
    assert sorted(told) == sorted(expected)


def test_report_and_counts_of_the_store_agree(tmp_path: Path) -> None:
    store = loaded(tmp_path, 1_200)
    kinds = list(Outcome)
    for start in range(0, 1_100, 100):
        targets = store.due_targets(NAME, NOON, 100)
        plans = [attempt(target) for target in targets]
        store.apply([save(target) for target in targets])
        store.apply(
            [outcome(p, kinds[(start + n) % len(kinds)]) for n, p in enumerate(plans) if n % 7]
        )
    with store.reading():
        told = summarise(store.attempts(NAME), store.targets(NAME))
        counts = store.status_counts(NAME)
        lines = sum(1 for _ in store.attempts(NAME))
    assert told.attempts == counts.attempts == lines == 1_100
    assert told.by_outcome == {**counts.outcomes, "open": counts.live}
    assert told.accounts_done == counts.targets["done"]
    assert told.done_reasons == counts.done
    assert told.contacts == 1_200


def test_time_bounds_take_the_first_and_leave_the_last(tmp_path: Path) -> None:
    store = loaded(tmp_path, 3)
    for hour, target in enumerate(store.due_targets(NAME, NOON, 3)):
        store.apply([save(target, NOON + timedelta(hours=hour))])
    found = store.attempts(NAME, NOON, NOON + timedelta(hours=2))
    assert [record.saved_at.hour for record in found] == [5, 6]


@pytest.mark.parametrize(
    "cell", ["=1+1", "+84…567", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1"]
)
def test_formulas_are_disarmed(cell: str) -> None:
    assert guarded(cell) == "'" + cell


@given(st.text(max_size=20))
def test_guard_adds_at_most_an_apostrophe(cell: str) -> None:
    assert guarded(cell) in (cell, "'" + cell)
    assert not guarded(cell).lstrip(" ").startswith(("=", "+", "-", "@"))


def test_formula_in_a_name_reaches_no_spreadsheet(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)
    store.import_rows(NAME, [row(1, name='=HYPERLINK("http://x","y")', contract="@A-1")])
    store.rank(NAME)
    store.apply([save(store.due_targets(NAME, NOON, 1)[0])])
    (line,) = report(store)
    assert line["name"].startswith("'=HYPERLINK")
    assert line["contract"] == "'@A-1"

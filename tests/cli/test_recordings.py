"""`duecall recordings`, as an operator types it."""

from __future__ import annotations

import json
import os
import pwd
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duecall.core.attempt import Attempt, attempt_id, recording_name
from duecall.core.commands import SaveAttempt
from duecall.core.outcome import Outcome
from duecall.shell.column_values import to_us
from duecall.shell.config_file import ConfigFaults, load_site
from duecall.shell.recording_hashes import write_sums
from duecall.shell.recording_index import look_at
from duecall.shell.store import Store
from duecall.shell.store_answers import Recorded
from duecall.shell.transcripts import Transcript, Transcripts
from duecall.shell.vault import Vault
from duecall.speech.recognition.recogniser import Phrase, SidePhrase
from fs_scripts.contract import Brief
from tests.cli.desk import CONFIG, Desk
from tests.cli.test_person_and_key import run
from tests.shell.store_world import NOON
from tests.shell.store_world import outcome as settled
from tests.shell.test_recording_index import stereo
from tests.speech.recognition import speakers

USER = pwd.getpwuid(os.getuid()).pw_name


class Office:
    """A desk whose campaign has made calls, without a daemon."""

    def __init__(self, desk: Desk, **changes: Any) -> None:
        self.desk = desk
        run(desk, "import", desk.campaign(**changes)).good  # noqa: B018 - it went well
        self.recordings = desk.folder / "var" / "recordings"
        self.store = Store(
            f"sqlite:///{desk.folder}/var/duecall.db",
            Vault.load(desk.folder / "var" / "duecall.key", {}),
            "default",
            "main",
        )
        self.store.rank("people")

    def call(self, outcome: Outcome = Outcome.DELIVERED, at: Any = NOON) -> Recorded:
        """One call; its recording is not made yet."""
        target = self.store.due_targets("people", at, 1)[0]
        identity = attempt_id(target.lender, "people", target.account.contract_number, 1)
        plan = Attempt(identity, 1, target.as_target(Brief("", ())), at)
        name = recording_name(plan)
        self.store.apply([SaveAttempt(plan), settled(plan, outcome, at=at, recording=name)])
        sql = "SELECT target_id FROM attempt WHERE id = ?"
        (row,) = self.store.parts.database.run(sql, (identity,)).fetchall()
        return Recorded(identity, row[0], name)

    def path(self, one: Recorded) -> Path:
        return self.recordings / one.name

    def index(self, *calls: Recorded) -> None:
        looks = [(one, look_at(self.path(one))) for one in calls]
        write_sums(self.store.parts, looks, to_us(NOON))

    def recorded(self, **options: Any) -> Recorded:
        one = self.call(**options)
        stereo(self.path(one), 1_000, 2_000, 83_000)
        self.index(one)
        return one

    def said(self, one: Recorded, *phrases: SidePhrase, **changes: Any) -> None:
        values: dict[str, Any] = {
            "language": "vi", "recogniser": "ear", "version": "ear 1", "model": "cd" * 32,
            "sha256": "ef", "at": NOON, "error": "", "phrases": phrases, **changes,
        }  # fmt: skip
        assert Transcripts(self.store.parts).put(Transcript(one.attempt_id, **values))

    def ledger(self) -> list[dict[str, Any]]:
        sql = "SELECT body FROM ledger WHERE kind = 'person' ORDER BY seq"
        rows = self.store.parts.database.run(sql).fetchall()
        return [json.loads(body) for (body,) in rows]


@pytest.fixture
def office(desk: Desk) -> Any:
    made = Office(desk)
    yield made
    made.store.close()


def test_the_list_fits_a_terminal(office: Office) -> None:
    first = office.recorded()
    office.recorded(outcome=Outcome.AGENT_UNAVAILABLE, at=NOON + timedelta(days=1))
    told = run(office.desk, "recordings", "list").good
    lines = told.splitlines()
    assert max(map(len, lines)) <= 80
    head, newest, oldest = lines
    assert head.split() == [
        "when", "attempt", "number", "campaign", "outcome", "length", "sound", "text",
    ]  # fmt: skip
    assert "26-11-24 05:00" in newest and "agent_unavailable" in newest
    assert first.attempt_id[:8] in oldest and "1:23" in oldest and "both" in oldest
    assert "+84…" in oldest and "+849120" not in told
    assert run(office.desk, "recordings", "list", "--contract", "HD-9").good == "no recordings\n"


def test_for_scripts(office: Office) -> None:
    one = office.recorded()
    (entry,) = json.loads(run(office.desk, "recordings", "list", "--json").good)
    assert (entry["attempt"], entry["length_ms"]) == (one.attempt_id, 83_000)
    assert (entry["callee_ms"], entry["us_ms"], entry["transcript"]) == (1_000, 2_000, "no")
    for narrowed in (
        ("--campaign", "people"), ("--from", "2026-11-23", "--to", "2026-11-23"),
        ("--outcome", "delivered"), ("--min-length", "83"), ("--state", "there"),
        ("--campaign", office.desk.folder / "people.yaml"),
    ):  # fmt: skip
        assert (
            len(json.loads(run(office.desk, "recordings", "list", "--json", *narrowed).good)) == 1
        )
    for left_out in (
        ("--campaign", "other"), ("--from", "2026-11-24"), ("--to", "2026-11-22"),
        ("--outcome", "busy"), ("--min-length", "84"), ("--state", "missing"),
    ):  # fmt: skip
        assert json.loads(run(office.desk, "recordings", "list", "--json", *left_out).good) == []


def test_faults_are_said_in_one_line(office: Office) -> None:
    for line, said in (
        (("list", "--number", "0901234567"), "is not an E.164 number"),
        (("show", "12345678"), "no recording of an attempt begins with 12345678"),
        (("show", "nonsense"), "is no attempt"),
        (("find", " "), "an empty text"),
    ):
        told = run(office.desk, "recordings", *line)
        assert told.code == 1 and said in told.err and told.err.count("\n") == 1, told
    assert run(office.desk, "recordings", "list", "--outcome", "nonsense").code == 2


def test_a_transcript_is_read_and_who_read_it_is_noted(office: Office) -> None:
    one = office.recorded()
    assert "none yet: duecall recordings transcribe" in run(
        office.desk, "recordings", "show", one.attempt_id[:8]
    ).good.replace("\n", " ")
    assert office.ledger() == []
    long = "tôi đã trả rồi và sẽ không trả thêm nữa cho đến khi có giấy tờ rõ ràng nhé anh"
    office.said(
        one,
        SidePhrase("us", Phrase(300, 4_000, "xin chào", 0.99)),
        SidePhrase("callee", Phrase(64_500, 70_000, long, 0.5)),
    )
    told = run(office.desk, "recordings", "show", one.attempt_id[:8]).good
    assert max(map(len, told.splitlines())) <= 80 + len(str(office.path(one)))
    said = told.splitlines()[-3:]
    assert said[0].split() == ["0.3", "us", "xin", "chào", "(99%)"]
    assert said[1].startswith("   64.5 callee tôi đã trả") and len(said[1]) <= 80
    assert said[2].startswith(" " * 15) and said[2].endswith("(50%)")
    assert "ear 1, model cdcdcdcdcdcd, vi" in told and str(office.path(one)) in told
    data = json.loads(run(office.desk, "recordings", "show", one.attempt_id, "--json").good)
    assert [one["side"] for one in data["transcript"]["phrases"]] == ["us", "callee"]
    assert [(body["did"], body["by"]) for body in office.ledger()] == [("read", USER)] * 2


def test_what_was_said_is_found_and_the_search_is_noted(office: Office) -> None:
    one = office.recorded()
    office.recorded()
    office.said(one, SidePhrase("callee", Phrase(0, 900, "Tôi đã trả rồi", 0.9)))

    def found(*options: str) -> list[str]:
        told = run(office.desk, "recordings", "find", *options, "--json").good
        return [entry["attempt"] for entry in json.loads(told)]

    assert found("đã TRẢ") == [one.attempt_id] == found("da tra", "--any-accents")
    assert found("da tra") == [] == found("đã trả", "--campaign", "other")
    bodies = office.ledger()
    assert [(body["did"], body["by"], body["transcripts"]) for body in bodies] == [
        ("searched", USER, n) for n in (1, 1, 0, 0)
    ]
    assert "tr" not in json.dumps([body["reason"] for body in bodies])


def test_files_are_looked_at_again(office: Office) -> None:
    there, gone, other = (office.recorded() for _ in range(3))
    assert run(office.desk, "recordings", "check").good == (
        "recordings: 3 there, 0 missing, 0 changed\n"
    )
    office.path(gone).unlink()
    stereo(office.path(other), 10, 10)
    told = run(office.desk, "recordings", "check")
    assert told.code == 1 and told.out == "recordings: 1 there, 1 missing, 1 changed\n"
    assert sorted(told.err.splitlines()) == [f"changed: {other.name}", f"missing: {gone.name}"]
    listed = run(office.desk, "recordings", "list", "--state", "missing", "--state", "changed").good
    assert "MISSING" in listed and "CHANGED" in listed and there.attempt_id[:8] not in listed


def test_without_a_recogniser_the_remedy_is_said(office: Office) -> None:
    office.recorded()
    told = run(office.desk, "recordings", "transcribe")
    assert told.code == 1 and told.out == "transcripts: 0 made, 1 not\n"
    assert "no recogniser for vi" in told.err and "recognition: vi" in told.err
    office.desk.config.write_text(
        office.desk.config.read_text() + "recognition: {vi: {engine: vosk, model: nowhere}}\n"
    )
    with pytest.raises(ConfigFaults, match=r"recognition\.vi\.model: no folder nowhere"):
        load_site(office.desk.config)
    office.desk.config.write_text(CONFIG + "recognition: {vi: {engine: pocketsphinx}}\n")
    with pytest.raises(ConfigFaults, match="English alone"):
        load_site(office.desk.config)
    office.desk.config.write_text(CONFIG + "recognition: {ru: {engine: vosk, model: var}}\n")
    choice = load_site(office.desk.config).recognition["ru"]
    assert choice.model == str(office.desk.folder / "var")


def test_english_is_transcribed_by_the_model_that_comes_with_it(desk: Desk, tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx", reason="the extra `recognition` is not installed")
    office = Office(desk, language="en", message="Hello {{ name }}. You owe {{ balance }}.")
    us = speakers.say("please call us tomorrow", tmp_path)
    callee = np.concatenate((np.zeros(us.size, np.float32), speakers.say("no thank you", tmp_path)))
    calls = [office.call() for _ in range(2)]
    for one in calls:
        speakers.stereo(office.path(one), callee, us)
    office.index(*calls)
    told = run(desk, "recordings", "transcribe", "--limit", "1")
    assert told.good == "transcripts: 1 made, 0 not\n"
    told = run(desk, "recordings", "transcribe", "--jobs", "2", "--json")
    assert json.loads(told.good) == {"made": 1, "failed": 0, "problems": {}}
    assert run(desk, "recordings", "transcribe").good == "transcripts: 0 made, 0 not\n"
    (entry, _) = json.loads(run(desk, "recordings", "find", "thank you", "--json").good)
    data = json.loads(run(desk, "recordings", "show", entry["attempt"], "--json").good)
    its = data["transcript"]
    assert its["version"].startswith("pocketsphinx") and len(its["model"]) == 64
    assert its["recording_sha256"] == entry["sha256"]
    ours, theirs = its["phrases"]
    assert (ours["side"], theirs["side"]) == ("us", "callee")
    assert "tomorrow" in ours["text"] and theirs["text"] == "no thank you"
    assert theirs["from_ms"] >= us.size // 8 - 300
    office.store.close()

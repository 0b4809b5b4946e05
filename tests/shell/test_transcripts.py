"""Transcripts: sealed, made once, resumed; and where a person's data goes, they go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duecall.core.campaign import Language
from duecall.shell import transcripts as transcripts_module
from duecall.shell.column_values import to_us
from duecall.shell.person_export import PersonExport
from duecall.shell.recording_search import RecordingSearch, Wanted
from duecall.shell.transcribing import Done, Transcribing
from duecall.shell.transcripts import Transcript, Transcripts
from duecall.speech.recognition.recogniser import (
    Phrase,
    RecogniserError,
    RecogniserMissing,
    SidePhrase,
)
from tests.shell.store_world import NAME, NOON, row
from tests.shell.test_evidence import made as evidence_made
from tests.shell.test_key_rotation import open_store as open_afresh
from tests.shell.test_key_rotation import rotation
from tests.shell.test_person_erasing import World
from tests.shell.test_recording_index import indexed, recorded, stereo
from tests.shell.test_retention import later, site, sweep, years

pytestmark = pytest.mark.usefixtures("database")
SAID = "Tôi đã trả rồi"
END = 1 << 60


@pytest.fixture
def world(tmp_path: Path, database: str) -> Iterator[World]:
    one = World(tmp_path, [row(n, contract=f"HD-{n}") for n in range(1, 6)])
    yield one
    one.store.close()


class Ear:
    """Hears one phrase a side: how many samples of sound it has."""

    name = "ear"

    def __init__(self, fail: Callable[[], None] = lambda: None) -> None:
        self.languages: tuple[Language, ...] = ("vi",)
        self.closed = 0
        self._fail = fail

    def version(self) -> str:
        return "ear 1"

    def model(self) -> str:
        return "ab" * 32

    def transcribe(self, samples: Any, rate_hz: int, language: Language) -> tuple[Phrase, ...]:
        self._fail()
        assert language == "vi" and rate_hz == 8_000
        heard = int((np.abs(samples) > 0).sum())
        return (Phrase(heard // 8, heard // 4, f"{SAID} {heard}", 0.5),) if heard else ()

    def recognise_short(self, *_: Any) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        self.closed += 1


def transcript(attempt: str, **changes: Any) -> Transcript:
    values: dict[str, Any] = {
        "attempt": attempt, "language": "vi", "recogniser": "ear", "version": "ear 1",
        "model": "cd", "sha256": "ef", "at": NOON, "error": "",
        "phrases": (SidePhrase("callee", Phrase(500, 900, SAID, 0.75)),), **changes,
    }  # fmt: skip
    return Transcript(**values)


def with_transcript(world: World, contract: str = "HD-1") -> str:
    one = recorded(world, contract)
    indexed(world, one)
    assert Transcripts(world.store.parts).put(transcript(one.attempt_id))
    return one.attempt_id


def run(
    world: World, choose: Callable[[Language], Any] | None = None, **options: Any
) -> list[Done]:
    parts = world.store.parts
    to_do = list(Transcripts(parts).to_do(0, END))
    work = Transcribing(parts, world.files, {NAME: "vi"}, choose or (lambda _: Ear()), **options)
    return list(work.run(to_do))


def test_it_is_sealed_and_comes_back(world: World) -> None:
    attempt = with_transcript(world)
    parts = world.store.parts
    (sealed,) = parts.database.run("SELECT sealed FROM transcript").fetchone()
    assert b"tr" not in bytes(sealed) and SAID.encode() not in bytes(sealed)
    held = Transcripts(parts).of([attempt, "another"])
    assert held == {attempt: transcript(attempt)}
    data = held[attempt].data()
    assert data["phrases"] == [
        {"side": "callee", "from_ms": 500, "to_ms": 900, "text": SAID, "sureness": 0.75}
    ]
    # Put into another row it does not open.
    parts.database.run("UPDATE transcript SET attempt_id = attempt_id")
    other = recorded(world, "HD-2")
    with parts.database.writing():
        parts.database.run("UPDATE transcript SET attempt_id = ?", (other.attempt_id,))
    assert Transcripts(parts).of([other.attempt_id])[other.attempt_id].phrases is None


def test_there_is_one_and_only_of_what_is_recorded(world: World) -> None:
    attempt = with_transcript(world)
    held = Transcripts(world.store.parts)
    assert not held.put(transcript(attempt, version="ear 2"))
    assert held.of([attempt])[attempt].version == "ear 1"
    other = recorded(world, "HD-2").attempt_id  # not in the index: as if it had been removed
    assert not held.put(transcript(other))


def test_all_that_have_none_are_listened_to(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts_module, "PAGE", 2)
    calls = [recorded(world, f"HD-{n}", callee_ms=1_000, us_ms=500) for n in range(1, 6)]
    indexed(world, *calls)
    done = run(world, jobs=3)
    assert sorted(d.one.attempt for d in done) == sorted(c.attempt_id for c in calls)
    assert {(d.phrases, d.problem) for d in done} == {(2, "")}
    held = Transcripts(world.store.parts).of([calls[0].attempt_id])[calls[0].attempt_id]
    sides = [(said.side, said.phrase.from_ms < 600) for said in held.phrases or ()]
    assert sides == [("us", True), ("callee", False)]  # in the order of time
    assert held.sha256 == done[0].one.sha256 or len(held.sha256) == 64
    assert run(world) == []


def test_it_goes_on_where_it_was_cut_off(world: World) -> None:
    indexed(world, *(recorded(world, f"HD-{n}") for n in range(1, 5)))
    parts = world.store.parts
    ears: list[Ear] = []

    def choose(_: Language) -> Ear:
        ears.append(Ear())
        return ears[-1]

    work = Transcribing(parts, world.files, {NAME: "vi"}, choose).run(
        list(Transcripts(parts).to_do(0, END))
    )
    first = next(work)
    work.close()  # Ctrl-C
    assert all(ear.closed for ear in ears)
    rest = run(world)
    assert 2 <= len(rest) <= 3 and first.one not in [done.one for done in rest]
    assert len(Transcripts(parts).of([d.one.attempt for d in [first, *rest]])) == 1 + len(rest)


def test_one_that_a_recogniser_fails_at_is_not_tried_for_ever(world: World) -> None:
    indexed(world, *(recorded(world, f"HD-{n}") for n in (1, 2)))

    def fail() -> None:
        raise RecogniserError("recogniser ear gave no answer within 30 s")

    done = run(world, lambda _: Ear(fail))
    assert [(d.kept, d.problem[:14]) for d in done] == [(True, "recogniser ear")] * 2
    assert run(world) == []
    entry = next(RecordingSearch(world.store.parts).find(Wanted()))
    assert entry.transcript == "failed"
    held = Transcripts(world.store.parts)
    assert held.drop_failed(0, END, "other") == 0
    assert held.drop_failed(0, END, NAME) == 2
    assert [d.problem for d in run(world)] == ["", ""]


def test_without_a_recogniser_nothing_is_written(world: World) -> None:
    indexed(world, *(recorded(world, f"HD-{n}") for n in (1, 2)))
    asked = []

    def choose(language: Language) -> Any:
        asked.append(language)
        raise RecogniserMissing("no recogniser for vi")

    done = run(world, choose)
    assert [(d.kept, d.problem) for d in done] == [(False, "no recogniser for vi")] * 2
    assert asked == ["vi"]  # once
    assert len(run(world)) == 2


def test_files_that_are_not_as_they_were_are_told(world: World) -> None:
    calls = [recorded(world, f"HD-{n}") for n in (1, 2, 3)]
    indexed(world, *calls)
    world.files.recording(calls[0].name).unlink()
    stereo(world.files.recording(calls[1].name), 10, 10)
    done = {d.one.attempt: d.problem for d in run(world)}
    assert [done[c.attempt_id] for c in calls] == [
        "the file is missing", "the file is not the one that was made", "",
    ]  # fmt: skip
    found = {e.attempt: e.state for e in RecordingSearch(world.store.parts).find(Wanted())}
    assert [found[c.attempt_id] for c in calls] == ["missing", "changed", "there"]
    assert run(world) == []


def test_of_a_time_a_campaign_and_a_daemon(world: World) -> None:
    indexed(world, recorded(world, "HD-1"), recorded(world, "HD-2", at=NOON + timedelta(days=1)))
    held, noon = Transcripts(world.store.parts), to_us(NOON)
    assert len(list(held.to_do(0, END))) == 2 == held.count_to_do(0, END)
    assert len(list(held.to_do(0, noon + 1))) == 1 == len(list(held.to_do(noon + 1, END)))
    assert len(list(held.to_do(noon, END, NAME, "main"))) == 2
    assert held.count_to_do(noon + 1, END, NAME, "main") == 1
    assert list(held.to_do(0, END, "other")) == [] == list(held.to_do(0, END, "", "other"))


# ---- searched and read


def test_what_was_said_is_found(world: World) -> None:
    attempt = with_transcript(world)
    indexed(world, recorded(world, "HD-2"))
    search = RecordingSearch(world.store.parts)

    def found(text: str, **options: Any) -> list[str]:
        wanted = options.pop("wanted", Wanted())
        return [entry.attempt for entry, _ in search.with_text(wanted, text, **options)]

    assert found("ĐÃ trả") == [attempt]
    assert found("da tra") == [] and found("da tra", any_accents=True) == [attempt]
    assert found("đã trả", wanted=Wanted(contract="HD-2")) == []


def test_who_read_it_stands_in_the_ledger(world: World) -> None:
    attempt = with_transcript(world)
    search = RecordingSearch(world.store.parts)
    search.note_read(attempt, "anna", NOON)
    search.note_searched(3, "anna", NOON)
    sql = "SELECT attempt_id, target_id, body FROM ledger WHERE kind = 'person' ORDER BY seq"
    read, searched = world.store.parts.database.run(sql).fetchall()
    assert read[0] == attempt and read[1] > 0
    body = json.loads(read[2])
    assert (body["did"], body["by"]) == ("read", "anna")
    assert body["contact"] == world.person("HD-1").key
    body = json.loads(searched[2])
    assert (body["did"], body["transcripts"], "contact" in body) == ("searched", 3, True)


# ---- where a person's data goes


def held_ids(world: World) -> list[tuple[str, str]]:
    run_ = world.store.parts.database.run
    return [
        tuple(sorted(a for (a,) in run_(f"SELECT attempt_id FROM {t}").fetchall()))  # type: ignore[misc] # as many as there are
        for t in ("transcript", "recording")
    ]


def test_forgetting_takes_it(world: World) -> None:
    with_transcript(world, "HD-1")
    other = with_transcript(world, "HD-2")
    eraser = world.eraser()
    eraser.forget(eraser.plan(world.person("HD-1")), "a letter")
    assert held_ids(world) == [(other,), (other,)]


def test_retention_takes_it_with_the_recording(world: World) -> None:
    attempt = with_transcript(world)
    rules = site(years("recording", 1))
    assert sweep(world, rules, later(years=1, days=-2)) == {} and held_ids(world)[0] == (attempt,)
    assert sweep(world, rules, later(years=1, days=2))["recordings"] == 1
    assert held_ids(world) == [(), ()]


def test_retention_takes_it_with_the_attempt(world: World) -> None:
    with_transcript(world)
    counts = sweep(world, site(years("recording", 2), years("log", 2)), later(years=2, days=2))
    assert counts["attempts"] == 1
    assert held_ids(world) == [(), ()]


def test_it_is_sealed_anew_with_a_fresh_key(world: World, tmp_path: Path) -> None:
    attempt = with_transcript(world)
    before = bytes(world.store.parts.database.run("SELECT sealed FROM transcript").fetchone()[0])
    world.store.close()
    world.store.parts.vault._held.close()  # type: ignore[union-attr] # this process is no daemon
    rotation(tmp_path).rotate()
    world.store = open_afresh(tmp_path)
    parts = world.store.parts
    after = bytes(parts.database.run("SELECT sealed FROM transcript").fetchone()[0])
    assert before[1:5] != after[1:5] == bytes.fromhex(parts.vault.key_ids[0])
    assert len(parts.vault.key_ids) == 1
    assert Transcripts(parts).of([attempt])[attempt].text() == SAID


def test_it_is_given_out_with_the_person_s_data(world: World) -> None:
    attempt = with_transcript(world)
    with_transcript(world, "HD-2")
    told = PersonExport(world.store.parts).of(world.person("HD-1"))
    assert [(one["attempt"], one["phrases"][0]["text"]) for one in told["transcripts"]] == [
        (attempt, SAID)
    ]
    json.dumps(told)


def test_it_is_evidence(world: World) -> None:
    attempt = with_transcript(world)
    done = evidence_made(world, "HD-1")
    (line,) = (done.folder / "transcripts.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["attempt"] == attempt and SAID in line
    assert done.problems == []
    assert "transcripts.jsonl" in (done.folder / "SHA256SUMS").read_text()
    assert not (evidence_made(world, "HD-3", "out3").folder / "transcripts.jsonl").exists()

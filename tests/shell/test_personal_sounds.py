"""Who is forgotten is forgotten by the sounds, too: names and free words, in every voice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from duecall.core.campaign import Campaign, Say
from duecall.core.site import Folders, Site
from duecall.core.voice import Voice
from duecall.shell.call_files import CallFiles
from duecall.shell.keeping_rules import keeping_of
from duecall.shell.person_erasing import Eraser
from duecall.shell.person_store import PersonStore
from duecall.shell.personal_sounds import PersonalSounds
from duecall.shell.preparer import Preparer
from tests.core import building
from tests.shell.store_world import NAME, NOON, Row, loaded, row
from tests.shell.test_person_erasing import World
from tests.shell.test_person_erasing import person_row as named
from tests.shell.test_retention import done_with, later, site, sweep, years

TEXT = "Chào {{ name | titled(title) }}, {{ street }}. Nợ {{ balance }}, {{ contract_number }}."


def spoken(**changes: object) -> Campaign:
    return building.campaign(name=NAME, message=[{"text": TEXT}], keys={}, **changes)


def person_row(n: int, name: str) -> Row:
    made = row(n)
    fields = {"title": "anh", "street": f"phố {name}"}
    return Row(replace(made.contact, name=name), replace(made.account, fields=fields))


def site_of(folder: Path) -> Site:
    return building.site(folders=Folders(tts_cache=str(folder / "tts")).model_dump())


def personal_files(folder: Path) -> set[Path]:
    return set(folder.glob("tts/*/personal/??/*.wav"))


def speak(site: Site, campaign: Campaign, one: Row) -> set[str]:
    manifest = Preparer(site).message(campaign, one.contact, one.account)
    return {path for path in manifest.paths if "/personal/" in path}


def test_names_and_words_go_in_every_voice_and_others_stay(tmp_path: Path) -> None:
    chosen, fast = site_of(tmp_path), Voice(engine="espeak", words_per_minute=200)
    an, binh = person_row(1, "Nguyễn Văn An"), person_row(2, "Trần Thị Bình")
    voices = [spoken(), spoken(voice=fast.model_dump()), spoken(title="whole")]
    theirs = set().union(*(speak(chosen, one, an) for one in voices))
    others = speak(chosen, voices[0], binh)
    assert (len(theirs), len(others)) == (4, 2)  # a name and a street, in two voices
    # The voice of today alone is known: the former one's sounds are found by their texts.
    assert PersonalSounds(chosen, voices[:1]).erase([(an.contact, an.account)]) == 4
    assert {str(path) for path in personal_files(tmp_path)} == others


def test_a_whole_sentence_goes_too(tmp_path: Path) -> None:
    chosen = site_of(tmp_path)
    whole = spoken(voice={"engine": "espeak", "whole_sentences": True})
    one = person_row(1, "Nguyễn Văn An")
    speak(chosen, whole, one)
    assert personal_files(tmp_path)
    PersonalSounds(chosen, [whole]).erase([(one.contact, one.account)])
    assert not personal_files(tmp_path)


def test_what_was_said_on_another_day_or_by_another_message_goes_by_the_name(
    tmp_path: Path,
) -> None:
    chosen = site_of(tmp_path)
    one, other = person_row(1, "Nguyễn Văn An"), person_row(2, "Trần Thị Bình")
    texts = [
        "Thưa {{ name | titled(title) }}, quý khách chậm {{ dpd }}, nợ {{ balance }}.",
        "Chào {{ name | titled('ông') }}.",
    ]
    for whole in (True, False):
        for text in texts:
            said = spoken(voice={"engine": "espeak", "whole_sentences": whole}).model_copy(
                update={"message": (Say(text=text),)}
            )
            earlier = replace(one.account, due_date=one.account.due_date - timedelta(days=3))
            speak(chosen, said, Row(one.contact, earlier))
            kept = speak(chosen, said, other)
    assert len(personal_files(tmp_path)) == 8
    now = spoken(voice={"engine": "espeak", "whole_sentences": True})  # all the texts are others
    assert PersonalSounds(chosen, [now]).erase([(one.contact, one.account)]) == 4
    assert len(personal_files(tmp_path)) == 4
    assert kept <= {str(path) for path in personal_files(tmp_path)}


@pytest.mark.usefixtures("database")
def test_forget_removes_them(tmp_path: Path) -> None:
    chosen, one, other = site_of(tmp_path), person_row(1, "Nguyễn An"), person_row(2, "Lê Ba")
    store = loaded(tmp_path, 0)
    store.put_campaign(spoken(), "name: x")
    store.import_rows(NAME, [one, other])
    store.rank(NAME)
    speak(chosen, spoken(), one)
    kept = speak(chosen, spoken(), other)
    stored = store.campaigns()
    sounds = PersonalSounds(chosen, (known.campaign for known in stored))
    files = CallFiles(tmp_path / "recordings", tmp_path / "cdr")
    later = NOON + timedelta(days=1)
    eraser = Eraser(store.parts, files, keeping_of(chosen, stored), later, sounds)
    person = PersonStore(store.parts).find(one.account.contract_number)
    done = eraser.forget(eraser.plan(person), "a letter")
    assert done.sounds == 2
    assert {str(path) for path in personal_files(tmp_path)} == kept
    # Said again: nothing is left to find them by, and nothing is there.
    person = PersonStore(store.parts).person(person.key)
    assert eraser.forget(eraser.plan(person), "again").sounds == 0
    store.close()


@pytest.mark.usefixtures("database")
def test_they_go_with_the_account_when_its_time_is_over(tmp_path: Path) -> None:
    rows = [named(n, contract=f"HD-{n}", name=f"Name {n}") for n in (1, 2)]
    world = World(tmp_path, rows)
    chosen = site(years("log", 2), years("recording", 2)).model_copy(
        update={"folders": site_of(tmp_path).folders}
    )
    campaign = building.campaign(name=NAME, message=[{"text": "Chào {{ name }}."}], keys={})
    gone, kept = (speak(chosen, campaign, one) for one in rows)
    world.call("HD-1")
    done_with(world)
    assert sweep(world, chosen, later(years=1)) == {}
    assert len(personal_files(tmp_path)) == 2
    assert sweep(world, chosen, later(years=2, days=1))["contacts"] == 1
    assert {str(path) for path in personal_files(tmp_path)} == kept
    assert gone

"""What is said to one contact: odd rows, empty cells, days that pass, a voice that fails."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from duecall.core.attempt import Target
from duecall.core.campaign import Campaign
from duecall.core.commands import Alarm, DeferTarget
from duecall.core.contact import Account, Contact
from duecall.core.moment import Moment
from duecall.core.site import Folders
from duecall.core.voice import VoiceChoice, chosen_voice
from duecall.shell import preparer as preparer_module
from duecall.shell.preparer import Preparer
from duecall.shell.store import TargetRow
from duecall.speech.engines import catalogue
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.faults import EngineError, EngineMissing, SoundFault, Unspeakable
from duecall.speech.prompts import PromptBook
from duecall.speech.proof import Misread
from duecall.speech.voices_in_turn import VoicesInTurn
from duecall.speech.words_vi import Vietnamese
from tests.core import building

EVENING = datetime(2026, 11, 23, 16, 30, tzinfo=timezone.utc)  # 23:30 in Hanoi


def campaign(text: str, **changes: Any) -> Campaign:
    return building.campaign(message=[{"text": text}], keys={}, **changes)


def row(number: int = 1, **account: Any) -> TargetRow:
    target = building.target(number)
    return TargetRow(
        id=target.id,
        lender=target.lender,
        campaign=target.campaign,
        contact=target.contact,
        account=replace(target.account, **account),
        phone_hash=target.phone_hash,
        past=target.past,
    )


@pytest.fixture
def preparer(tmp_path: Path) -> Preparer:
    site = building.site(folders=Folders(tts_cache=str(tmp_path / "tts")).model_dump())
    return Preparer(site)


def said(preparer: Preparer, text: str, **account: Any) -> str:
    one = row(**account)
    return preparer.text(campaign(text), one.contact, one.account)


def test_an_empty_card_number_is_false_where_the_template_asks(preparer: Preparer) -> None:
    text = "thẻ{% if card_number %} số {{ card_number | last4 }}{% else %} này{% endif %}"
    assert said(preparer, text, card_number="") == "thẻ này"
    assert said(preparer, text, card_number="4000 1234").startswith("thẻ số")


@pytest.mark.parametrize("fields", [{"title": ""}, {}])
def test_an_empty_or_missing_column_is_false_where_the_template_asks(
    preparer: Preparer, fields: dict[str, str]
) -> None:
    text = "chào {% if title %}{{ title }}{% else %}quý khách{% endif %}"
    assert said(preparer, text, fields=fields) == "chào quý khách"
    assert said(preparer, text, fields={"title": "ông"}) == "chào ông"


@pytest.mark.parametrize("name", ["card_number", "title"])
def test_what_is_empty_cannot_be_spoken(preparer: Preparer, name: str) -> None:
    with pytest.raises(Unspeakable):
        said(preparer, "số {{ " + name + " }}", card_number="", fields={"title": ""})


def test_an_interest_rate_with_a_comma_is_spoken(preparer: Preparer) -> None:
    text = "lãi suất {{ interest_rate }}"
    assert said(preparer, text, interest_rate="18,5") == said(preparer, text, interest_rate="18.5")


@pytest.mark.parametrize("rate", ["about five", "1e400", "NaN", ""])
def test_one_row_that_makes_no_sense_does_not_hold_up_the_others(
    preparer: Preparer, rate: str
) -> None:
    rows = [row(1), row(2, interest_rate=rate), row(3)]
    targets, put_off = preparer.prepare(campaign("lãi suất {{ interest_rate }}"), rows)
    assert [target.id for target in targets] == [1, 3]
    (command,) = put_off
    assert isinstance(command, DeferTarget)
    assert (command.target.id, command.until) == (2, None)
    assert command.reason.startswith("cannot be spoken")


def test_a_fault_that_nobody_foresaw_is_one_rows_too(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = Preparer._values

    def odd(self: Preparer, words: Any, contact: Contact, account: Account, today: date) -> Any:
        if contact.name == "Contact 2":
            raise ZeroDivisionError
        return values(self, words, contact, account, today)

    monkeypatch.setattr(Preparer, "_values", odd)
    targets, put_off = preparer.prepare(campaign("xin chào"), [row(1), row(2), row(3)])
    assert [target.id for target in targets] == [1, 3]
    assert "ZeroDivisionError" in getattr(put_off[0], "reason", "")


def test_a_voice_that_fails_at_one_text_tries_it_again_later(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = PromptBook.render

    def fails(self: PromptBook, parts: Any, values: Any, speaker: Any) -> Any:
        if getattr(values.get("name"), "text", "") == "Contact 2":
            raise EngineError("espeak-ng ended with code -9")
        return render(self, parts, values, speaker)

    monkeypatch.setattr(PromptBook, "render", fails)
    targets, put_off = preparer.prepare(campaign("chào {{ name }}"), [row(1), row(2)])
    assert [target.id for target in targets] == [1]
    (command,) = put_off
    assert isinstance(command, DeferTarget)
    assert command.until is not None


def test_a_voice_that_is_missing_is_everybodys_fault(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineMissing):
        preparer.prepare(campaign("xin chào"), [row(1), row(2)])


def test_a_sound_file_that_is_missing_is_everybodys_fault(
    preparer: Preparer, tmp_path: Path
) -> None:
    spoken = building.campaign(message=[{"sound": str(tmp_path / "gone.wav")}], keys={})
    with pytest.raises(SoundFault):
        preparer.prepare(spoken, [row(1), row(2)])


@pytest.mark.parametrize(
    ("text", "spoken_on"),
    [
        ("{{ dpd }}", date(2026, 11, 23)),
        ("{{ today }}", date(2026, 11, 23)),
        ("{% if dpd > 3 %}gấp{% endif %} chào", date(2026, 11, 23)),
        ("{% if bucket > 3 %}gấp{% endif %} chào", date(2026, 11, 23)),
        ("chào {{ name }}", None),
    ],
)
def test_a_message_that_speaks_of_its_day_says_which(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch, text: str, spoken_on: date | None
) -> None:
    monkeypatch.setattr(preparer_module, "now", lambda: Moment(EVENING, 0.0))
    (target,), _ = preparer.prepare(campaign(text), [row()])
    assert target.spoken_on == spoken_on
    later = Moment(EVENING + timedelta(hours=1), 0.0)
    monkeypatch.setattr(preparer_module, "now", lambda: later)
    (target,), _ = preparer.prepare(campaign(text), [row()])
    assert target.spoken_on == (spoken_on and spoken_on + timedelta(days=1))


def test_each_bucket_hears_its_message_and_on_its_day(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparer_module, "now", lambda: Moment(EVENING, 0.0))
    spoken = campaign("chào", message_by_bucket={"1": [{"text": "một"}], "4": [{"text": "bốn"}]})
    by_dpd = {-1: "chào", 0: "một", 9: "một", 10: "chào", 89: "chào", 90: "bốn", 180: "chào"}
    rows = [
        row(n, due_date=date(2026, 11, 23) - timedelta(days=dpd)) for n, dpd in enumerate(by_dpd, 1)
    ]
    texts = [preparer.text(spoken, one.contact, one.account) for one in rows]
    assert texts == list(by_dpd.values())
    assert [preparer.message(spoken, one.contact, one.account).text for one in rows] == texts
    targets, _ = preparer.prepare(spoken, rows)
    sounds = {text: target.brief.steps[0].say for text, target in zip(texts, targets, strict=True)}
    assert len(set(sounds.values())) == 3
    assert all(sounds[t] == g.brief.steps[0].say for t, g in zip(texts, targets, strict=True))
    assert {target.spoken_on for target in targets} == {date(2026, 11, 23)}
    # Warm-up makes what is heard today, and not the messages of other buckets.
    _, parts, _ = preparer.jobs_of(spoken, rows[1].contact, rows[1].account)
    assert [part.template.source for part in parts] == ["một"]
    # On the next day they may be in the next bucket.
    later = preparer.text(spoken, rows[2].contact, rows[2].account, date(2026, 11, 24))
    assert later == "chào"


def test_the_bucket_is_said_as_a_number(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparer_module, "now", lambda: Moment(EVENING, 0.0))
    assert said(preparer, "nhóm {{ bucket }}", due_date=date(2026, 8, 1)) == "nhóm bốn"
    assert said(preparer, "nhóm {{ bucket }}", due_date=date(2026, 12, 1)) == "nhóm không"


def test_a_value_that_is_read_wrongly_is_found_before_the_first_call(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not in the message itself, yet somebody would hear it.
    one = row(balance_minor=21_000_000)
    spoken = building.campaign(
        message=[{"text": "chào"}],
        keys={"1": {"do": "hang_up", "say": [{"text": "{{ balance }}"}]}},
    )
    assert preparer.text(spoken, one.contact, one.account) == "chào"
    wrong = lambda self, value: "hai triệu đồng"  # noqa: E731
    monkeypatch.setattr(Vietnamese, "money", wrong)
    with pytest.raises(Misread, match="Money"):
        preparer.text(spoken, one.contact, one.account)


def test_a_changed_campaign_speaks_its_new_words(preparer: Preparer) -> None:
    one = row()
    assert preparer.text(campaign("một"), one.contact, one.account) == "một"
    assert preparer.text(campaign("hai"), one.contact, one.account) == "hai"


def test_the_region_of_the_voice_decides_the_words_of_numbers(tmp_path: Path) -> None:
    """docs/speech.md, Regions of Vietnamese."""
    said = {}
    for region in ("", "north", "south"):
        text = "Quý khách còn nợ {{ balance }}."
        chosen = building.campaign(message=[{"text": text}], voice={"region": region})
        account = building.target().account
        account = replace(account, balance_minor=105_000)
        preparer = Preparer(building.site(folders={"tts_cache": str(tmp_path)}))
        said[region] = preparer.text(chosen, building.target().contact, account)
    assert "nghìn" in said[""]
    assert "nghìn" in said["north"]
    assert "linh" in said["north"]
    assert "ngàn" in said["south"]
    assert "lẻ" in said["south"]


# ---- voices

DYING = """
import os, numpy
from duecall.speech.engines.child import Loaded, serve

def load(settings):
    def speak(text):
        if os.path.exists({dead!r}):
            os._exit(9)
        return numpy.sin(numpy.arange(8000) / 5.0) * 0.3
    return Loaded("1", 8000, speak)

serve(load)
"""


class DyingVoice:
    """A site whose first voice is a real process that dies while the file `dead` is there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dead = folder / "dead"
        self.alarms: list[Alarm] = []
        program = folder / "child.py"
        program.write_text(DYING.format(dead=str(self.dead)), encoding="utf-8")
        engine = WorkerEngine("hibari", "test", [sys.executable, str(program)], {})
        kept = catalogue.engine_of

        def engine_of(choice: VoiceChoice, *rest: Any) -> Any:
            return engine if choice.engine == "hibari" else kept(choice, *rest)

        monkeypatch.setattr(catalogue, "engine_of", engine_of)
        site = building.site(
            folders=Folders(tts_cache=str(folder / "tts")).model_dump(),
            voices={"vi": {"engine": "hibari", "fallback": "espeak"}},
        )
        self.preparer = Preparer(site, self.alarms.append)
        self.engine = engine


def test_a_voice_that_dies_is_stood_in_for_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = DyingVoice(tmp_path, monkeypatch)
    at = [0.0]
    monkeypatch.setattr(
        preparer_module,
        "VoicesInTurn",
        lambda engines, told: VoicesInTurn(engines, told, clock=lambda: at[0]),
    )
    spoken = campaign("Xin chào {{ name }}", goodbye=["Tạm biệt."], no_agent=["Xin lỗi."])

    def prepared(number: int) -> Target:
        (target,), _ = world.preparer.prepare(spoken, [row(number)])
        return target

    first = prepared(1)
    assert (first.voice, first.voice_turn) == ("hibari:test", 0)
    world.dead.touch()
    dead = [prepared(number) for number in (2, 3, 4)]
    assert {(one.voice, one.voice_turn) for one in dead} == {("espeak:vi", 1)}
    for target in (first, *dead):
        brief = target.brief
        folder = "/" + target.voice.replace(":", "-") + "/"
        spoken_paths = [*brief.steps[0].say, *brief.goodbye, *target.no_agent]
        assert all(folder in path for path in spoken_paths if "/silence/" not in path)
    world.dead.unlink()
    world.engine._given_up_until = 0.0
    assert prepared(5).voice == "espeak:vi", "it rests"
    at[0] = 601.0
    assert prepared(6).voice == "hibari:test"
    told = [(alarm.what, dict(alarm.fields)["voice"]) for alarm in world.alarms]
    assert told[-1] == ("the chosen voice speaks again", "hibari:test")
    assert ("another voice speaks", "espeak:vi") in told
    assert "ended with code 9" in str(world.alarms[0].fields)
    assert "Contact" not in str(world.alarms)
    world.engine.close()


def test_recordings_alone_are_nobodys_voice(preparer: Preparer, tmp_path: Path) -> None:
    (first,), _ = preparer.prepare(campaign("một"), [row(1)])
    assert first.voice == "espeak:vi"
    sound = building.campaign(message=[{"sound": first.brief.steps[0].say[0]}], keys={})
    (target,), _ = preparer.prepare(sound, [row(1)])
    assert (target.voice, target.voice_turn) == ("", 0)


def test_the_voice_of_the_campaign_goes_before_that_of_the_site(tmp_path: Path) -> None:
    site = building.site(
        folders=Folders(tts_cache=str(tmp_path / "tts")).model_dump(),
        voices={"vi": {"engine": "espeak", "name": "vi-vn-x-south", "pitch": 60}},
    )

    def voice(**own: Any) -> str:
        (target,), _ = Preparer(site).prepare(campaign("một", voice=own), [row(1)])
        return target.voice

    assert voice() == "espeak:vi-vn-x-south"
    assert voice(words_per_minute=100) == "espeak:vi-vn-x-south"
    assert voice(engine="espeak") == "espeak:vi"
    slow = chosen_voice(site, campaign("một", voice={"words_per_minute": 100, "region": "south"}))
    assert (slow.words_per_minute, slow.pitch, slow.region) == (100, 60, "south")

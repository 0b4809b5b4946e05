"""Campaign and site files: what is right loads as meant, what is wrong is told at its place.

In the texts below a `^` stands before each spot at which a fault is expected; it is taken out
before the file is written.
"""

from __future__ import annotations

import re
import shutil
import wave
from datetime import date, time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duecall.core.campaign import Campaign, Range, Say
from duecall.core.outcome import Outcome
from duecall.core.rule_choice import rules_of
from duecall.core.rule_merge import RuleChanges
from duecall.core.site import Site
from duecall.shell.config_file import ConfigFaults, load_campaign, load_site
from duecall.shell.rule_packs import load_packs

CAMPAIGNS = Path(__file__).resolve().parents[2] / "campaigns"
CONTACTS = (
    "name,contract_number,balance,interest_rate,due_date,dpd,phone,branch\n"
    "An,C-1001,1500000,18.5,2026-04-09,10,+84900000101,Hue\n"
)
BASE = {
    "title": "title: Words",
    "contacts": "contacts: people.csv",
    "language": "language: vi",
    "country": "country: VN",
    "currency": "currency: VND",
    "zone": "zone: Asia/Ho_Chi_Minh",
    "calendar": "calendar:\n  hours:\n    - {from: 08:00, to: 20:00}",
    "message": "message: Xin chào {{ name }}.",
    "retry": "retry: {max_attempts: 1}",
    "caller_id": 'caller_id: "19001234"',
    "trunk": "trunk: demo",
    "no_agent": "no_agent: Xin lỗi.",
}
SITE = Site.model_validate(
    {
        "trunks": {"demo": {"proxy": "127.0.0.1:5080", "channels": 2, "calls_per_second": 1}},
        "agents": {"front-desk": {"members": ["sip:agent@127.0.0.1:5090"]}},
        "lender_name": "Minh An",
    }
).with_packs(load_packs(Path("none of its own")))


def campaign_text(**changes: str) -> str:
    """The base campaign, its parts replaced, taken out (empty) or added."""
    return "\n".join(part for part in {**BASE, **changes}.values() if part) + "\n"


def write_campaign(folder: Path, text: str, contacts: str = CONTACTS) -> Path:
    path = folder / "overdue-vi.yaml"
    path.write_text(text, encoding="utf-8")
    (folder / "people.csv").write_text(contacts, encoding="utf-8")
    return path


def marked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and (line, column) of each."""
    spots = []
    for number, line in enumerate(text.split("\n"), 1):
        while "^" in line:
            spots.append((number, line.index("^") + 1))
            line = line.replace("^", "", 1)
    return text.replace("^", ""), spots


def faults_of(folder: Path, text: str, site: Site | None = SITE) -> ConfigFaults:
    with pytest.raises(ConfigFaults) as caught:
        load_campaign(write_campaign(folder, text), site)
    return caught.value


def good(folder: Path, text: str, site: Site | None = SITE) -> Campaign:
    return load_campaign(write_campaign(folder, text), site)


# ---- what is right


def test_the_base_loads(tmp_path: Path) -> None:
    campaign = good(tmp_path, campaign_text())
    assert campaign.name == "overdue-vi"
    assert campaign.message == (Say(text="Xin chào {{ name }}."),)
    assert campaign.contacts == str(tmp_path / "people.csv")
    assert campaign.calendar.hours[0].from_ == time(8)
    assert campaign.calendar.hours[0].to == time(20)
    assert campaign.caller_id == "19001234"


def test_yaml_guesses_no_types(tmp_path: Path) -> None:
    """08:00 is no 480, 0900 no 576, no and yes are words, 1 is a key."""
    keys = "keys:\n  1: {do: answer, value: yes}\n  2: {do: answer, value: no}\n  0: {do: repeat}"
    campaign = good(
        tmp_path,
        campaign_text(keys=keys, caller_id="caller_id: 0900123456", title="title: 2026-04-19"),
    )
    assert campaign.keys["1"].value == "yes"
    assert campaign.keys["2"].value == "no"
    assert campaign.keys["0"].do == "repeat"
    assert campaign.caller_id == "0900123456"
    assert campaign.title == "2026-04-19"


def test_norway_is_a_country(tmp_path: Path) -> None:
    text = campaign_text(country="country: NO", rules="rules: {pack: none}")
    assert good(tmp_path, text).country == "NO"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("15s", 15), ("1m", 60), ("59s", 59), ("30s", 30), ("1m0s", 60)],
)
def test_durations(tmp_path: Path, written: str, seconds: int) -> None:
    assert good(tmp_path, campaign_text(ring=f"ring: {written}")).ring == seconds


def test_long_durations(tmp_path: Path) -> None:
    retry = (
        "retry:\n  max_attempts: 3\n  by_outcome: {busy: {every: 1h30m}, no_answer: {every: 2d}}"
    )
    rules = good(tmp_path, campaign_text(retry=retry)).retry.by_outcome
    assert rules[Outcome.BUSY].every == 5_400
    assert rules[Outcome.NO_ANSWER].every == 172_800


def test_a_day_to_its_end(tmp_path: Path) -> None:
    calendar = "calendar:\n  hours:\n    - {from: 20:00, to: 24:00}\n    - {from: 00:00, to: 08:00}"
    hours = good(tmp_path, campaign_text(calendar=calendar)).calendar.hours
    assert hours[0].to == time(0)
    assert [str(span) for span in hours] == ["20:00-24:00", "00:00-08:00"]


def test_selection_by_values_and_by_range(tmp_path: Path) -> None:
    selection = "selection:\n  dpd: {min: -3}\n  fields: {branch: Hue}"
    campaign = good(tmp_path, campaign_text(selection=selection))
    assert campaign.selection.fields == {"branch": ("Hue",)}
    selection = "selection:\n  fields: {branch: {min: 1, max: 5}}"
    rule = good(tmp_path, campaign_text(selection=selection)).selection.fields["branch"]
    assert isinstance(rule, Range)
    assert rule.holds(5)
    assert not rule.holds(6)


def test_sounds_become_absolute(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "bell.wav"), "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(b"\0\x20\0\xe0" * 2_000)
    campaign = good(tmp_path, campaign_text(message="message:\n  - sound: bell.wav\n  - Xin chào."))
    assert campaign.message == (Say(sound=str(tmp_path / "bell.wav")), Say(text="Xin chào."))


def test_anchors_and_aliases(tmp_path: Path) -> None:
    keys = "keys:\n  1: &pay {do: claims_paid, say: Cảm ơn.}\n  2: *pay"
    campaign = good(tmp_path, campaign_text(keys=keys))
    assert campaign.keys["1"] == campaign.keys["2"]


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = write_campaign(tmp_path, "")
    path.write_bytes(b"\xef\xbb\xbf" + campaign_text().replace("\n", "\r\n").encode())
    assert load_campaign(path, SITE).title == "Words"


def test_decomposed_accents_become_composed(tmp_path: Path) -> None:
    campaign = good(tmp_path, campaign_text(message="message: Chao\u0300 {{ name }}"))
    assert campaign.message[0].text == "Cha\u00f2 {{ name }}"


def test_without_a_site_trunk_and_agents_are_not_judged(tmp_path: Path) -> None:
    text = campaign_text(trunk="trunk: other", keys="keys: {1: {do: transfer, to: nobody}}")
    assert good(tmp_path, text, site=None).trunk == "other"


def test_as_of_and_dates(tmp_path: Path) -> None:
    campaign = good(tmp_path, campaign_text(as_of="contacts_as_of: 2026-04-19"))
    assert campaign.contacts_as_of == date(2026, 4, 19)


# ---- what is wrong: (the part, what the message says)

FAULTS = {
    "unknown key": ("colour", "^colour: red", "colour: unknown key"),
    "near key": ("mesage", "^calender: x", "calender: unknown key (did you mean calendar?)"),
    "unknown inner key": (
        "keys",
        "keys:\n  1: {do: repeat, ^sya: x}",
        "keys.1.sya: unknown key (did you mean say?)",
    ),
    "wrong type": ("voice", "voice:\n  words_per_minute: ^fast", "'fast' is not a whole number"),
    "list for text": ("title", "title: ^[a, b]", "title: a list in the wrong place; allowed: text"),
    "text for keys": ("voice", "voice: ^loud", "voice: text ('loud') in the wrong place"),
    "range": ("voice", "voice:\n  words_per_minute: ^500", "at most 300"),
    "flag": ("record", "record: ^maybe", "'maybe' is neither true nor false"),
    "empty value": ("title", "title:^", "title: is empty"),
    "bare number for a duration": ("ring", "ring: ^30", "'30' is a number without a unit"),
    "no duration": ("ring", "ring: ^half a minute", "allowed: a number with its unit"),
    "duration too long": ("ring", "ring: ^5m", "ring: 5m is out of range; allowed: at most 2m"),
    "unknown choice": ("language", "language: ^vn", "'vn' is not known"),
    "hours reversed": (
        "calendar",
        "calendar:\n  hours:\n    - {from: 20:00, to: ^08:00}",
        "calendar.hours[0].to: ends at 08:00, not after its start at 20:00",
    ),
    "hours of no length": (
        "calendar",
        "calendar:\n  hours:\n    - {from: 08:00, to: ^08:00}",
        "not after its start",
    ),
    "hours overlap": (
        "calendar",
        "calendar:\n  hours:\n    - {from: 08:00, to: 12:00}\n    - {from: ^11:00, to: 13:00}",
        "calendar.hours[1].from: 11:00-13:00 overlaps 08:00-12:00",
    ),
    "midnight as an end": (
        "calendar",
        "calendar:\n  hours:\n    - {from: 08:00, to: ^00:00}",
        "allowed: 24:00 for its end",
    ),
    "hour that is none": (
        "calendar",
        "calendar:\n  hours:\n    - {from: ^8 o'clock, to: 25:00}".replace("25:00", "^25:00"),
        "'25:00' is not a time of day",
    ),
    "no hours": ("calendar", "calendar:\n  hours: ^[]", "calendar.hours: is empty"),
    "dates reversed": (
        "calendar",
        "calendar:\n  start: 2026-05-02\n  end: ^2026-05-01\n  hours: [{from: 08:00, to: 20:00}]",
        "calendar.end: 2026-05-01 is before the start, 2026-05-02",
    ),
    "date that is none": (
        "calendar",
        "calendar:\n  end: ^2026-02-30\n  hours: [{from: 08:00, to: 20:00}]",
        "'2026-02-30' is not a day",
    ),
    "date of other digits": ("contacts_as_of", "contacts_as_of: ^٢٠٢٦-٠٤-١٩", "is not a day"),
    "date of seconds": ("contacts_as_of", "contacts_as_of: ^20260419", "is not a day"),
    "weekday": (
        "calendar",
        "calendar:\n  weekdays: [mon, ^tues]\n  hours: [{from: 08:00, to: 20:00}]",
        "'tues' is not known (did you mean tue?)",
    ),
    "weekday twice": (
        "calendar",
        "calendar:\n  weekdays: [mon, ^mon]\n  hours: [{from: 08:00, to: 20:00}]",
        "mon stands here twice",
    ),
    "zone": ("zone", "zone: ^Asia/Hochiminh", "(did you mean Asia/Ho_Chi_Minh?)"),
    "zone that is a folder": ("zone", "zone: ^Asia", "'Asia' is not a time zone"),
    "zone that is a path": ("zone", "zone: ^../../etc/passwd", "is not a time zone"),
    "country": ("country", "country: ^vn", "'vn' is not a country (did you mean VN?)"),
    "currency": ("currency", "currency: ^VNĐ", "'VNĐ' is not a known currency"),
    "key of two digits": ("keys", "keys:\n  ^12: {do: repeat}", "'12' has the wrong form"),
    "key of letters": ("keys", "keys:\n  ^on: {do: repeat}", "allowed: one of 0-9"),
    "transfer without to": ("keys", "keys:\n  1: ^{do: transfer}", "keys.1: transfer without `to`"),
    "transfer without words for who gets nobody": (
        "no_agent",
        "keys:\n  1: ^{do: transfer, to: front-desk}",
        "keys.1: transfer without words for a callee whom no agent takes",
    ),
    "transfer to nobody": (
        "keys",
        "keys:\n  1: {do: transfer, to: ^front-dask}",
        "'front-dask' is no agent group of config.yaml (did you mean front-desk?)",
    ),
    "answer without value": ("keys", "keys:\n  1: ^{do: answer}", "answer without `value`"),
    "value where none belongs": (
        "keys",
        "keys:\n  1: {do: repeat, value: ^x}",
        "keys.1.value: does not belong to repeat",
    ),
    "days where none belong": ("keys", "keys:\n  1: {do: opt_out, days: ^3}", "does not belong"),
    "unknown action": (
        "keys",
        "keys:\n  1: {do: ^dance}",
        "'dance' is not known; allowed: transfer",
    ),
    "unknown trunk": (
        "trunk",
        "trunk: ^dmeo",
        "'dmeo' is no trunk of config.yaml (did you mean demo?)",
    ),
    "caller id": ("caller_id", "caller_id: ^+1 (202) 5550100", "3 to 15 digits"),
    "no contacts file": ("contacts", "contacts: ^persons.csv", "no such file"),
    "contacts is a folder": ("contacts", "contacts: ^.", "not a file"),
    "no sound file": ("message", "message:\n  - sound: ^bell.wav", "no file"),
    "sound that is none": (
        "message",
        "message:\n  - sound: ^people.csv",
        "this is no sound file that can be read",
    ),
    "neither text nor sound": ("message", "message:\n  - ^{}", "neither text nor sound"),
    "both text and sound": (
        "goodbye",
        "goodbye:\n  - ^text: a\n    sound: ^b.wav",
        "both text and sound",
    ),
    "no bucket": (
        "message_by_bucket",
        "message_by_bucket:\n  ^6: Chào.\n  4: Chào.",
        "'6' is no DPD bucket; allowed: 1 to 5",
    ),
    "nothing to say to a bucket": (
        "message_by_bucket",
        "message_by_bucket:\n  4: ^[]",
        "message_by_bucket.4: is empty; allowed: at least 1",
    ),
    "bucket that is not selected": (
        "message_by_bucket",
        "selection: {dpd_buckets: [2, 3, 4], dpd: {max: 89}}\n"
        "message_by_bucket:\n  3: Chào.\n  ^4: Chào.",
        "the selection never picks an account of bucket 4; allowed: 2, 3",
    ),
    "nothing to say": ("message", "message: ^[]", "message: is empty; allowed: at least 1"),
    "blank text": ("message", 'message: ^"  "', "the text is empty"),
    "retry after opt-out": (
        "retry",
        "retry:\n  max_attempts: 3\n  by_outcome:\n    ^opted_out: {every: 4h}",
        "nobody is called again after opted_out; allowed: agent_unavailable, hung_up",
    ),
    "retry after no outcome": (
        "retry",
        "retry:\n  max_attempts: 3\n  by_outcome:\n    ^no_anser: {every: 4h}",
        "'no_anser' is not an outcome (did you mean no_answer?)",
    ),
    "attempts without a rule": (
        "retry",
        "retry: {max_attempts: ^3}",
        "3 attempts, yet no outcome is tried again",
    ),
    "retry at once": (
        "retry",
        "retry: {max_attempts: 2, by_outcome: {busy: {every: ^0s}}}",
        "at least 1s",
    ),
    "question twice": (
        "questions",
        "questions:\n"
        "  - {id: q, ask: Hỏi, keys: {1: {do: answer, value: a}}}\n"
        "  - {id: ^q, ask: Hỏi, keys: {1: {do: answer, value: a}}}",
        "questions[1].id: 'q' is taken",
    ),
    "selection of no column": (
        "selection",
        "selection:\n  fields: {brunch: ^[Hue]}",
        "'brunch' is no further column of the contacts file (did you mean branch?)",
    ),
    "order by no column": ("order", "order:\n  - field: ^size", "'size' is no column to order by"),
    "range reversed": ("selection", "selection:\n  dpd: {min: 9, max: ^1}", "max 1 is below min 9"),
    "variable that hides one": ("variables", "variables:\n  name: ^X", "would hide the variable"),
    "variable like a column": ("variables", "variables:\n  branch: ^X", "a column of the contacts"),
    "tag": ("title", "title: ^!!python/name:os.system", "the tag !!python/name:os.system"),
    "twice": ("record", "record: false\n^record: true", "record: stands here twice, first in line"),
    "merge key": ("voice", "voice:\n  ^<<: {pitch: 3}", "merge keys (<<)"),
    "text in braces cut by a comma": (
        "keys",
        "keys:\n  2: {do: repeat, say: Dạ, ^xin chào}",
        "text with a comma in { } needs quotes",
    ),
}


@pytest.mark.parametrize(("part", "text", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_is_told_at_its_place(tmp_path: Path, part: str, text: str, said: str) -> None:
    written, spots = marked(campaign_text(**{part: text}))
    faults = faults_of(tmp_path, written)
    assert [(fault.line, fault.column) for fault in faults.faults] == spots, str(faults)
    assert said in str(faults)


def test_all_faults_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text, spots = marked(
        campaign_text(
            language="language: ^xx",
            calendar="calendar:\n  hours:\n    - {from: 20:00, to: ^08:00}",
            message="message: Chào",
            keys="keys:\n  1: {do: transfer, to: ^nobody}\n  ^1: {do: repeat}\n  7: ^{do: answer}",
            trunk="trunk: ^none",
            extra="^nonsense: 1",
        )
    )
    faults = faults_of(tmp_path, text)
    assert [(fault.line, fault.column) for fault in faults.faults] == spots, str(faults)
    assert len(str(faults).splitlines()) == len(spots) == 7


def test_missing_keys_are_all_named(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, "title: x\n")
    missing = {fault.key for fault in faults.faults if fault.problem == "is missing"}
    assert missing == {*BASE} - {"title", "no_agent"}
    assert {(fault.line, fault.column) for fault in faults.faults} == {(1, 1)}


def test_message_form(tmp_path: Path) -> None:
    path = write_campaign(tmp_path, campaign_text(trunk="trunk: x"))
    with pytest.raises(ConfigFaults) as caught:
        load_campaign(path, SITE)
    line = campaign_text(no_agent="").count("\n")  # the last but one is the trunk
    assert str(caught.value) == (
        f"{path}:{line}:8: trunk: 'x' is no trunk of config.yaml; allowed: demo"
    )


def test_the_files_own_name_must_do(tmp_path: Path) -> None:
    path = tmp_path / "Overdue VI.yaml"
    write_campaign(tmp_path, campaign_text()).rename(path)
    with pytest.raises(ConfigFaults, match=r"1:1: name: the file's name, 'Overdue VI', cannot"):
        load_campaign(path, SITE)
    path.write_text(campaign_text(name="name: overdue-2"), encoding="utf-8")
    assert load_campaign(path, SITE).name == "overdue-2"


# ---- templates

TEMPLATES = {
    "unknown variable": (
        "message: Chào {{ ^nmae }}",
        "nothing gives the variable nmae (did you mean name?)",
    ),
    "in a block": (
        "message: |\n  Chào {{ name }}.\n\n  Số dư {{ ^blance }}.",
        "nothing gives the variable blance (did you mean balance?)",
    ),
    "in a list": ("message:\n  - text: Chào\n  - text: |\n      a\n      {{ ^b }}", "variable b"),
    "folded": ("message: >\n  Chào\n  {{ name }} và\n  {{ ^nmae }}", "variable nmae"),
    "in quotes": ('message: "Chào {{ ^nmae }}"', "variable nmae"),
    "two": ("message: |\n  {{ ^aa1 }}\n  {{ ^bb1 }}", "variable bb1"),
    "only in a condition": ("message: 'Chào {% if ^vip %}a{% endif %}'", "variable vip"),
    "no column gives it": ("message: 'Thẻ {{ ^card_number | last4 }}'", "variable card_number"),
    "forbidden": ("message: '{{ name | ^upper }}'", "no filter upper"),
    "column without a type": (
        "message: '{% if branch %}{{ ^branch }}{% endif %}'",
        "branch has no type; allowed: write {{ branch | text }}, or the filter of what it is",
    ),
    "column without a type, chosen": ("message: '{{ \"a\" if dpd > 3 else ^branch }}'", "no type"),
    "short number": ("message: Nhấn phím ^1 trong ^24 giờ.", "the number 24 in the text"),
    "fraction": ("message: 'Sau ^½ ngày'", "the number ½ in the text"),
    "number in a bucket's message": (
        "message: Chào.\nmessage_by_bucket:\n  2:\n    - Gọi ^113.",
        "the number 113 in the text",
    ),
    "unknown variable in a bucket's message": (
        "message: Chào.\nmessage_by_bucket: {4: 'Chào {{ ^nmae }}'}",
        "nothing gives the variable nmae",
    ),
    "emoji in the text": ("message: Xin chào ^🙂 quý khách.", "the sign 🙂 in the text"),
    "sign in a key's words": (
        "message: Chào.\nkeys:\n  1: {do: hang_up, say: Số ^№ này.}",
        "the sign № in the text",
    ),
    "nothing to say": ("message: ^'…, !'", "nothing in this text can be spoken"),
    "only a comment": (
        "message: Chào.\ngoodbye: ^'{# later #}'",
        "nothing in this text can be spoken",
    ),
    "number in the text": ("message: 'Gọi ^1900 1234.'", "the number 1900 1234 in the text"),
    "sum in the text": ("message: |\n  Nợ ^1.500.000 đồng", "the number 1.500.000 in the text"),
}
# Jinja tells only the line of these.
TEMPLATE_LINES = {
    "syntax": ("message: |\n  Chào\n  ^{{ name |\n", "message: "),
    "attribute": ("message: |\n  Chào\n  ^a {{ name.__class__ }}", "no dots"),
    "calculation": ("message: |\n  ^{{ dpd + 1 }}", "cannot calculate"),
    "loop": ("message: |\n  a\n  b\n  ^{% for a in name %}{% endfor %}", "For is not part of"),
}


@pytest.mark.parametrize(("message", "said"), TEMPLATES.values(), ids=TEMPLATES.keys())
def test_template_fault_is_told_at_its_place(tmp_path: Path, message: str, said: str) -> None:
    written, spots = marked(campaign_text(message=message))
    faults = faults_of(tmp_path, written)
    assert [(fault.line, fault.column) for fault in faults.faults] == spots, str(faults)
    assert said in str(faults)


@pytest.mark.parametrize(("message", "said"), TEMPLATE_LINES.values(), ids=TEMPLATE_LINES.keys())
def test_template_fault_is_told_at_its_line(tmp_path: Path, message: str, said: str) -> None:
    written, spots = marked(campaign_text(message=message))
    faults = faults_of(tmp_path, written)
    assert [(fault.line, fault.column) for fault in faults.faults] == spots, str(faults)
    assert said in str(faults)


def test_words_of_the_campaign_that_cannot_be_said_plainly_are_told_once(tmp_path: Path) -> None:
    message = "message:\n  - '{{ hotline | phone }}'\n  - '{{ own }} {{ lender }}'"
    variables = "variables: {hotline: 1900 1234, own: F88}"
    assert good(tmp_path, campaign_text(message=message, variables=variables))
    text, spots = marked(
        campaign_text(
            message="message: ['{{ hotline }}', '{{ hotline }}']",
            variables="variables:\n  hotline: ^1900 1234",
        )
    )
    faults = faults_of(tmp_path, text)
    assert [(fault.line, fault.column) for fault in faults.faults] == spots, str(faults)
    assert "this text is only a number; allowed: give it a type" in str(faults)


def test_a_column_that_a_variable_of_the_day_would_hide_is_told(tmp_path: Path) -> None:
    contacts = CONTACTS.replace("branch", "bucket")
    path = write_campaign(tmp_path, campaign_text(message="message: A bucket."), contacts)
    assert load_campaign(path, SITE)
    text = campaign_text(message="message: '{% if bucket > 3 %}a{% endif %}'")
    path = write_campaign(tmp_path, text, contacts)
    with pytest.raises(ConfigFaults, match="contacts: a column bucket is in the file"):
        load_campaign(path, SITE)


@pytest.mark.parametrize(
    "text",
    [
        "{{ name }} {{ contract_number }} {{ balance }} {{ interest_rate }} {{ due_date }}",
        "{{ dpd }} {{ phone }} {{ today }} {{ tomorrow }} {{ lender }} {{ own }}",
        "{{ branch | text }}",
        "{{ bucket }} {% if bucket >= 4 and branch == ''Hue'' %}a{% endif %}",
    ],
)
def test_variables_there_are(tmp_path: Path, text: str) -> None:
    assert good(
        tmp_path, campaign_text(message=f"message: '{text}'", variables="variables: {own: x}")
    )


def test_lender_must_come_from_somewhere(tmp_path: Path) -> None:
    nameless = SITE.model_copy(update={"lender_name": ""})
    text, spots = marked(campaign_text(message="message: '{{ ^lender }}'"))
    faults = faults_of(tmp_path, text, nameless)
    assert [(fault.line, fault.column) for fault in faults.faults] == spots
    given = campaign_text(message="message: '{{ lender }}'", variables="variables: {lender: A}")
    assert good(tmp_path, given, nameless)


def test_templates_in_every_place_are_checked(tmp_path: Path) -> None:
    text, spots = marked(
        campaign_text(
            invalid_key="invalid_key: '{{ ^x1 }}'",
            goodbye="goodbye: ['{{ ^x2 }}']",
            no_agent="no_agent: [{text: '{{ ^x3 }}'}]",
            keys="keys:\n  1: {do: repeat, say: '{{ ^x4 }}'}",
            questions="questions:\n  - id: q\n    ask: '{{ ^x5 }}'\n    keys:\n"
            "      1: {do: answer, value: a, say: ['{{ ^x6 }}']}",
        )
    )
    faults = faults_of(tmp_path, text)
    assert [(fault.line, fault.column) for fault in faults.faults] == spots, str(faults)


def test_currency_without_words(tmp_path: Path) -> None:
    text, spots = marked(
        campaign_text(currency="currency: ^LAK", message="message: '{{ balance }}'")
    )
    faults = faults_of(tmp_path, text)
    assert [(fault.line, fault.column) for fault in faults.faults] == spots
    assert "no words for LAK; allowed: CNY, EUR" in str(faults)


# ---- the contacts file, as far as the campaign is concerned


@pytest.mark.parametrize(
    ("contacts", "said"),
    [
        ("", "the file is empty"),
        (CONTACTS.split("\n")[0] + "\n", "no rows after the header"),
        (CONTACTS.split("\n")[0] + "\n \n,,,,,,,\n", "no rows after the header"),
        (
            "name,phone\nAn,1\n",
            "no column contract_number, interest_rate, due_date, dpd, balance or",
        ),
    ],
)
def test_contacts_file_that_will_not_do(tmp_path: Path, contacts: str, said: str) -> None:
    path = write_campaign(tmp_path, campaign_text(), contacts)
    with pytest.raises(ConfigFaults) as caught:
        load_campaign(path, SITE)
    (fault,) = caught.value.faults
    assert (fault.line, fault.column, fault.key) == (2, 11, "contacts")
    assert said in str(fault)


# ---- rules: told at their places, whether one key is wrong or all of them do not go together

OWN_HOURS = "id: own.hours, days: all, spans: "


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("  ^hour: []", "rules.hour: unknown key (did you mean hours?)"),
        (
            "  gaps:\n    - {id: own.gap, per: number, ^gape: 2h, gap: 1h}",
            "rules.gaps[0].gape: unknown key (did you mean gap?)",
        ),
        (
            f"  hours:\n    - {{{OWN_HOURS}[{{from: 21:00, to: ^07:00}}]}}",
            "rules.hours[0].spans[0].to: ends at 07:00, not after its start at 21:00",
        ),
        (
            f"  hours:\n    - {{{OWN_HOURS}[{{from: 8:00, to: 12:00}}, "
            "{from: ^11:00, to: 13:00}]}",
            "rules.hours[0].spans[1].from: 11:00-13:00 overlaps 08:00-12:00",
        ),
        (
            "  caps:\n    - {id: own.cap, counts: [attempt], per: number, "
            "window: {calendar: day}, max: ^0}",
            "rules.caps[0].max: 0 is out of range; allowed: at least 1",
        ),
        (
            "  caps:\n    - {id: own.cap, counts: [attempt], per: number, "
            "window: ^{calendar: day, rolling_days: 7}, max: 1}",
            "rules.caps[0].window: calendar and rolling_days at once",
        ),
        ("  gaps:\n    - ^{per: number, gap: 1h}", "rules.gaps[0].id: is missing"),
        (
            "  gaps:\n    - {id: own.one, per: number, gap: 1h}\n"
            "  ring:\n    - {id: own.two, min: 20s}\n"
            "  cool_offs:\n    - {id: ^own.one, after: live, per: number, days: 1}",
            "'own.one' is an id in gaps already",
        ),
        ("  override:\n    - ^{rule: vn.gap, drop: yes}", "rules.override[0].reason: is missing"),
        (
            "  override:\n    - {rule: vn.gap, reason: ^' ', drop: yes}",
            "rules.override[0].reason: the text is empty",
        ),
        (
            "  override:\n    - ^{rule: vn.gap, reason: we must, drop: yes, set: {gap: 1h}}",
            "drop and set at once",
        ),
        (
            "  override:\n    - {rule: ^vn.hours, reason: we must, approved_by: me, drop: yes}",
            "rules.override[0].rule: 'vn.hours' is law; "
            "allowed: an override in the site's config.yaml alone",
        ),
        (
            "  override:\n    - {rule: ^vn.gup, reason: we must, drop: yes}",
            "'vn.gup' is no rule in effect (did you mean vn.gap?)",
        ),
        (
            "  override:\n    - {rule: vn.gap, reason: we must, set: {gap: ^1}}",
            "rules.override[0].set.gap: '1' is a number without a unit",
        ),
        (
            "  override:\n    - {rule: vn.gap, reason: we must, set: {gape: ^1h}}",
            "rules.override[0].set.gape: unknown key (did you mean gap?)",
        ),
        (
            "  override:\n    - {rule: vn.gap, reason: we must, set: {gap: 1h}, drop: no}\n"
            "  gaps:\n    - {id: ^vn.ring, per: number, gap: 1h}",
            "'vn.ring' is a rule of the pack already",
        ),
        (
            "  attested: [lender_is_caller, ^basis_recorded]",
            "no rule asks for 'basis_recorded'",
        ),
        ("  days: ^{off: [2026-12-24]}", "rules.days.source: is missing"),
        ("  days: {off: [^24.12.2026], source: us}", "'24.12.2026' is not a day"),
        (
            "  days: {working: ^[2027-01-03], source: us}",
            "rules.days.working: working days open hours that the rules had shut, and nobody "
            "approved this; allowed: approved_by",
        ),
        (
            "  pack: ^none",
            "rules.pack: 'none' in place of the law of VN, and no reason; "
            "allowed: pack_reason: why, or pack: vn",
        ),
        ("  pack: ^uz\n  pack_reason: x", "rules.pack: no rules for 'uz'"),
        ("  pack_reason: ^x", "a reason, and no pack"),
    ],
)
def test_a_fault_of_the_rules_is_told_at_its_place(tmp_path: Path, rules: str, said: str) -> None:
    text, spots = marked(campaign_text(rules=f"rules:\n{rules}"))
    faults = faults_of(tmp_path, text)
    assert [(fault.line, fault.column) for fault in faults.faults] == spots, str(faults)
    assert said in str(faults)
    assert all(fault.allowed for fault in faults.faults)


def test_a_country_without_a_pack_is_told_at_the_country(tmp_path: Path) -> None:
    text, spots = marked(campaign_text(country="country: ^NO"))
    (fault,) = faults_of(tmp_path, text).faults
    assert [(fault.line, fault.column)] == spots
    assert "no rule pack for NO, and none is named; allowed: `pack:` one of cn, gb" in str(fault)


def test_what_config_yaml_chose_for_the_campaign_is_told_as_its(tmp_path: Path) -> None:
    chosen = SITE.model_copy(update={"rules": RuleChanges.model_validate({"pack": "ru"})})
    text, spots = marked(campaign_text(country="country: ^VN"))
    (fault,) = faults_of(tmp_path, text, chosen).faults
    assert [(fault.line, fault.column)] == spots
    assert "with rules.pack of config.yaml: 'ru' in place of the law of VN" in str(fault)
    lawful = campaign_text(rules="rules: {pack: vn}")
    assert good(tmp_path, lawful, chosen).rules.pack == "vn"


def test_without_a_site_the_rules_are_judged_by_themselves_alone(tmp_path: Path) -> None:
    assert good(tmp_path, campaign_text(rules="rules: {pack: none}"), None).rules.pack == "none"
    faults = faults_of(tmp_path, campaign_text(rules="rules: {pack: No}"), None)
    assert "lower-case letters" in str(faults)


def test_a_campaign_with_rules_is_the_same_when_it_comes_back_from_the_database(
    tmp_path: Path,
) -> None:
    campaign = good(tmp_path, campaign_text(rules=RULES, purpose="purpose: marketing"))
    again = Campaign.model_validate_json(campaign.model_dump_json(by_alias=True))
    assert again == campaign
    assert rules_of(SITE, again).digest == rules_of(SITE, campaign).digest
    assert again.purpose == "marketing"


RULES = """\
rules:
  attested: [lender_is_caller]
  days: {off: [2026-12-24], source: Decision 12}
  hours:
    - {id: own.hours, days: [sat, sun], spans: [{from: 9:00, to: 24:00}]}
    - {id: own.sunday, days: sun, spans: []}
  override:
    - {rule: vn.calls-day, reason: agreed, set: {max: 4, per: [number, contact]}}
"""


# ---- the site


def site_faults(folder: Path, text: str) -> ConfigFaults:
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigFaults) as caught:
        load_site(folder / "config.yaml")
    return caught.value


TRUNKS = "trunks:\n  a: {proxy: x, channels: 1, calls_per_second: 1}"


def test_site_paths_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "trunks:\n  a: {proxy: 127.0.0.1:5080, channels: 2, calls_per_second: 0.5}\n"
        "folders: {tts_cache: /var/cache/duecall}\n",
        encoding="utf-8",
    )
    site = load_site(tmp_path / "config.yaml")
    assert site.database == f"sqlite:///{tmp_path}/var/duecall.db"
    assert site.folders.cdr == str(tmp_path / "var/cdr")
    assert site.folders.tts_cache == "/var/cache/duecall"
    assert site.switch.password_file == str(tmp_path / "var/esl.password")
    assert site.hold_music == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trunks: ^{}", "trunks: is empty; allowed: at least 1"),
        ("trunks:\n  a: {proxy: ^'sip:x', channels: 1, calls_per_second: 1}", "host or host:port"),
        ("trunks:\n  a: {proxy: x, channels: ^0, calls_per_second: ^nan}", "is not a number"),
        ("trunks:\n  ^A b: {proxy: x, channels: 1, calls_per_second: 1}", "lower-case letters"),
        (
            "trunks:\n  proxy: {proxy: x, channels: 1, calls_per_second: 1, ^chanels: 2}",
            "trunks.proxy.chanels: unknown key (did you mean channels?)",
        ),
        (
            "trunks:\n  a: {proxy: x, channels: 1, calls_per_second: 1, password_file: ^none}",
            "no file none",
        ),
        (
            "database: ^mysql://x/y\ntrunks:\n  a: {proxy: x, channels: 1, calls_per_second: 1}",
            "sqlite:///folder/file.db",
        ),
        (
            "hold_music: ^a.wav\ntrunks:\n  a: {proxy: x, channels: 1, calls_per_second: 1}",
            "hold_music: no file",
        ),
        (
            "agents:\n  desk: {members: [^agent@host], wait: ^60}\n"
            "trunks:\n  a: {proxy: x, channels: 1, calls_per_second: 1}",
            "sip:user@host",
        ),
        (
            "switch: {port: ^99999, host: 127.0.0.1}\n"
            "trunks:\n  a: {proxy: x, channels: 1, calls_per_second: 1}",
            "at most 65535",
        ),
        (f"folders: {{rules: ^packs}}\n{TRUNKS}", "folders.rules: no folder packs"),
        (f"rules:\n  ^attest: [x]\n{TRUNKS}", "unknown key (did you mean attested?)"),
        (
            f"rules:\n  attested: [lender_is_caller, ^lender_is_caler]\n{TRUNKS}",
            "no rule asks for 'lender_is_caler' (did you mean lender_is_caller?)",
        ),
        (
            f"rules:\n  override:\n    - {{rule: ^vn.hours, reason: x, drop: yes}}\n{TRUNKS}",
            "'vn.hours' is law, and nobody approved this; "
            "allowed: approved_by: the name of who answers for it",
        ),
        (
            "rules:\n  override:\n    - ^{rule: vn.hours, reason: x, approved_by: Bo, "
            f"set: {{days: [sat]}}}}\n{TRUNKS}",
            "no hours from 2020-01-01 on for a workday",
        ),
        (
            f"rules:\n  gaps:\n    - {{id: ^cn.gap, per: number, gap: 1h}}\n{TRUNKS}",
            "'cn.gap' is a rule of the pack already",
        ),
        (f"rules: {{pack: ^uz, pack_reason: x}}\n{TRUNKS}", "rules.pack: no rules for 'uz'"),
    ],
)
def test_site_fault_is_told_at_its_place(tmp_path: Path, text: str, said: str) -> None:
    written, spots = marked(text)
    faults = site_faults(tmp_path, written)
    assert [(fault.line, fault.column) for fault in faults.faults] == spots, str(faults)
    assert said in str(faults)


def test_a_site_comes_with_its_packs(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(TRUNKS, encoding="utf-8")
    assert sorted(load_site(tmp_path / "config.yaml").packs) == [
        "cn",
        "gb",
        "none",
        "ru",
        "us",
        "vn",
    ]
    (tmp_path / "rules").mkdir()  # found without a word
    pack = "schema: duecall-rules/1\njurisdiction: de\nname: Germany\n"
    (tmp_path / "rules" / "de.yaml").write_text(pack, encoding="utf-8")
    site = load_site(tmp_path / "config.yaml")
    assert site.packs["de"].name == "Germany"
    assert site.folders.rules == str(tmp_path / "rules")


def test_faults_of_an_own_pack_are_told_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "packs").mkdir()
    text, spots = marked(
        "schema: duecall-rules/1\njurisdiction: de\nname: Germany\nreview_by: 2027-01-01\ngaps:\n"
        "  - ^{id: de.gap, per: number, gap: ^2, level: law, certainty: high, "
        "valid_from: 2020-01-01}\n"
    )
    (tmp_path / "packs" / "de.yaml").write_text(text, encoding="utf-8")
    faults = site_faults(tmp_path, f"folders: {{rules: packs}}\n{TRUNKS}").faults
    assert [(fault.line, fault.column) for fault in faults] == spots
    assert {fault.file for fault in faults} == {str(tmp_path / "packs" / "de.yaml")}
    assert [fault.problem for fault in faults] == ["is missing", "'2' is a number without a unit"]


def test_the_sites_rules_hold_for_the_countries_that_they_are_about(tmp_path: Path) -> None:
    rules = (
        "rules:\n  attested: [lender_is_caller, pipl_basis_recorded]\n"
        "  override:\n    - {rule: vn.gap, reason: agreed, set: {gap: 3h}}\n"
    )
    (tmp_path / "config.yaml").write_text(rules + TRUNKS, encoding="utf-8")
    site = load_site(tmp_path / "config.yaml")
    text = campaign_text(trunk="trunk: a")
    assert rules_of(site, good(tmp_path, text, site)).pack.gaps[0].gap == 3 * 3600
    chinese = campaign_text(trunk="trunk: a", country="country: CN")
    assert rules_of(site, good(tmp_path, chinese, site)).changes == ()


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="no such file"):
        load_site(tmp_path / "config.yaml")


# ---- anything at all

PIECES = st.sampled_from(
    [
        *"\t\n \"'{}[]:,*&!|>%@#-?~\0\x85\ufeff",
        ": ",
        "- ",
        "{{",
        "}}",
        "{%",
        "null",
        "<<: ",
        "1",
        "no",
    ]
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 9), PIECES), max_size=4))
def test_a_mangled_campaign_loads_or_tells_its_faults(
    tmp_path: Path, edits: list[tuple[int, int, str]]
) -> None:
    text = (CAMPAIGNS / "overdue-vi.yaml").read_text(encoding="utf-8")
    for at, cut, put in edits:
        text = text[:at] + put + text[at + cut :]
    shutil.copytree(CAMPAIGNS, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "overdue-vi.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    lines = re.split("\r\n|[\r\n]", text)
    try:
        assert load_campaign(path, SITE).message
    except ConfigFaults as faults:
        assert faults.faults
        for fault in faults.faults:
            assert fault.problem and fault.allowed
            assert 1 <= fault.line <= len(lines), str(fault)
            assert 1 <= fault.column <= len(lines[fault.line - 1]) + 2, str(fault)

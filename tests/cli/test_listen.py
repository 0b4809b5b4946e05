"""Hear it before it runs: some contacts by name, or a sample of the oddest, with a page."""

from __future__ import annotations

import csv
import html
import json
import re
import wave
from pathlib import Path

import pytest

from duecall.cli.listen_page import COLUMNS, Sound, write_pages
from tests.cli.desk import HEADER, Desk, row

WIDE = HEADER.replace("phone", "phone,title,fee")
MESSAGE = (
    "Kính chào {% if title %}{{ title | text }}{% else %}quý khách{% endif %} {{ name }}. "
    "Quý khách còn nợ {{ balance }}{% if dpd > 200 %}, đã rất lâu{% endif %}."
)


def wide_row(n: int, name: str = "Nguyễn Văn An", title: str = "anh", balance: int = 0) -> str:
    line = row(n, name)[:-1].split(",")
    if balance:
        line[2] = str(balance)
    return ",".join([*line, title, "0"]) + "\n"


def seconds(path: Path) -> float:
    with wave.open(str(path)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        return sound.getnframes() / 8000


def test_contacts_by_name_in_their_order_with_a_page_and_a_table(desk: Desk) -> None:
    path = desk.campaign()
    out = desk.folder / "hear"
    answer = desk.run(
        "listen", path, "--contact", "HD-000002", "--contact", "HD-000000", "--out", out
    )
    assert "một triệu không trăm lẻ hai nghìn đồng" in answer.good
    assert (out.stat().st_mode & 0o777, (out / "index.html").stat().st_mode & 0o777) == (
        0o700, 0o600,
    )  # fmt: skip
    with (out / "index.csv").open(encoding="utf-8-sig", newline="") as source:
        table = list(csv.DictReader(source))
    assert tuple(table[0]) == COLUMNS
    assert [line["contract"] for line in table] == ["HD-000002", "HD-000000"]
    assert [line["row"] for line in table] == ["4", "2"]
    for line in table:
        assert seconds(out / line["file"]) == pytest.approx(float(line["seconds"]), abs=0.06)
        assert line["voice"] == "espeak:vi"
    page = (out / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'src="([^"]+)"', page) == [line["file"] for line in table]
    assert table[0]["text"] in html.unescape(page)


def test_all_parts_of_one_contact(desk: Desk) -> None:
    question = {"id": "ok", "ask": "Có hay không?", "keys": {1: {"do": "answer", "value": "a"}}}
    path = desk.campaign(
        keys={2: {"do": "claims_paid", "say": "Cảm ơn {{ name }}."}, 0: {"do": "repeat"}},
        questions=[question],
        goodbye="Chào tạm biệt.",
    )
    out = desk.folder / "hear"
    told = json.loads(desk.run("listen", path, "--all-parts", "--out", out, "--json").good)
    parts = {sound["part"]: sound["text"] for sound in told["sounds"]}
    assert list(parts) == ["message", "keys.2.say", "questions.ok.ask", "goodbye"]
    assert parts["keys.2.say"] == "Cảm ơn Nguyễn Văn An."
    assert len({sound["contract"] for sound in told["sounds"]}) == 1
    for sound in told["sounds"]:
        assert seconds(out / sound["file"]) == pytest.approx(sound["ms"] / 1000, abs=0.01)


def test_a_message_of_its_bucket_is_heard(desk: Desk) -> None:
    path = desk.campaign(message_by_bucket={2: "Kính chào {{ name }}, nhóm hai."})
    told = json.loads(desk.run("listen", path, "--out", desk.folder / "x.wav", "--json").good)
    assert told["sounds"][0]["text"] == "Kính chào Nguyễn Văn An, nhóm hai."


def test_a_sample_takes_the_longest_the_shortest_and_the_oddest(desk: Desk) -> None:
    rows = [wide_row(n) for n in range(30)]
    rows[3] = wide_row(3, balance=987_654_321_000)
    rows[7] = wide_row(7, "Y Moan Êban Hmŏk")
    rows[11] = wide_row(11, title="giáo sư")
    rows[13] = wide_row(13, balance=21)
    rows[17] = wide_row(17, title="")
    rows[19] = wide_row(19).replace("2026-11-01,21", "2025-11-01,386")
    path = desk.campaign(csv=WIDE + "".join(rows), message=MESSAGE)
    out = desk.folder / "hear"
    told = json.loads(desk.run("listen", path, "--sample", "12", "--out", out, "--json").good)
    why = {sound["contract"]: sound["why"] for sound in told["sounds"]}
    assert (told["rows"], told["cannot_be_spoken"], len(why)) == (30, 0, 12)
    for number, part in (
        (3, "the largest sum"),
        (7, "the rare letter ŏ"),
        (11, "the word giáo sư"),
        (13, "the number 21"),
        (17, "words that 1 of 30 hear"),
        (19, "words that 1 of 30 hear"),
        (19, "DPD bucket 5"),
    ):
        assert part in why[f"HD-{number:06d}"], why
    assert "" in why.values()  # filled up with some drawn at random
    assert sorted(path.name for path in out.iterdir()) == [
        *(f"{number:03d}.wav" for number in range(1, 13)), "index.csv", "index.html",
    ]  # fmt: skip
    again = json.loads(desk.run("listen", path, "--sample", "12", "--out", out, "--json").good)
    assert [sound["contract"] for sound in again["sounds"]] == list(why)


def test_a_sample_is_chosen_by_the_sum_that_only_a_key_tells_and_it_is_heard(desk: Desk) -> None:
    """As in all ready scripts: the message says who calls, the key of the person what is owed."""
    rows = [wide_row(n) for n in range(30)]
    rows[3] = wide_row(3, balance=987_654_321_000)
    rows[13] = wide_row(13, balance=21)
    path = desk.campaign(
        csv=WIDE + "".join(rows),
        message="{{ lender }} xin chào. Nếu đúng là {{ name }}, xin nhấn phím một.",
        keys={
            1: {"do": "answer", "value": "me", "say": "Quý khách còn nợ {{ balance }}."},
            9: {"do": "opt_out", "say": "{{ lender }} sẽ không gọi nữa."},
        },
        variables={"lender": "Minh An"},
    )
    out = desk.folder / "hear"
    told = json.loads(desk.run("listen", path, "--sample", "5", "--out", out, "--json").good)
    heard = {(sound["contract"], sound["part"]): sound for sound in told["sounds"]}
    assert len(heard) == 10
    assert {part for _, part in heard} == {"message", "keys.1.say"}
    assert "the largest sum" in heard["HD-000003", "keys.1.say"]["why"]
    assert "the number 21" in heard["HD-000013", "message"]["why"]
    assert heard["HD-000013", "keys.1.say"]["text"] == "Quý khách còn nợ hai mươi mốt đồng."
    one = desk.run("listen", path, "--out", desk.folder / "x.wav").good
    assert "as well, to hear with --all-parts: keys.1.say\n" in one


def test_a_sample_larger_than_the_file_and_rows_that_cannot_be_spoken(desk: Desk) -> None:
    rows = [wide_row(0), wide_row(1, "محمد"), wide_row(2)]
    path = desk.campaign(csv=WIDE + "".join(rows), message=MESSAGE)
    answer = desk.run("listen", path, "--sample", "20")
    assert "2 of 3 rows chosen by their text" in answer.good
    assert "1 rows cannot be spoken; see: duecall check people" in answer.good
    assert (desk.folder / "people-sounds" / "index.html").exists()


def test_a_voice_that_fails_at_one_contact_is_told_beside_the_others(desk: Desk) -> None:
    rows = [wide_row(0), wide_row(1, title="bà"), wide_row(2)]
    choosy = "grep -q bà && exit 1; espeak-ng -v vi --stdout chào"
    config = desk.config.read_text() + f"programs: {{choosy: [/bin/sh, -c, '{choosy}']}}\n"
    desk.config.write_text(config)
    path = desk.campaign(
        csv=WIDE + "".join(rows),
        message="{{ title | text }}.",
        voice={"engine": "command", "name": "choosy"},
    )
    out = desk.folder / "hear"
    answer = desk.run("listen", path, "--sample", "3", "--out", out)
    assert answer.code == 1
    assert "no sound: " in answer.err
    assert "no sound: " in (out / "index.html").read_text(encoding="utf-8")
    assert len(list(out.glob("*.wav"))) == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ("--contact", "HD-9", "--contact", "HD-000001"),
            "no contact with contract number HD-9 in",
        ),
        (("--sample", "3", "--out", "/proc/none"), "/proc/none: "),
    ],
)
def test_what_cannot_be_done_is_said(desk: Desk, arguments: tuple[str, ...], problem: str) -> None:
    answer = desk.run("listen", desk.campaign(), *arguments)
    assert problem in answer.error


def test_a_sample_and_a_name_are_one_too_many(desk: Desk) -> None:
    answer = desk.run("listen", desk.campaign(), "--sample", "3", "--contact", "HD-000001")
    assert answer.code == 2
    assert "leave --contact out" in answer.err


def test_a_recogniser_hears_it_too(desk: Desk) -> None:
    pytest.importorskip("pocketsphinx", reason="the extra `recognition` is not installed")
    message = (
        "Hello. This is an automatic call. If you have dealt with it already, press two. "
        "To hear this again, press zero. If you do not want these calls, press nine."
    )
    path = desk.campaign(language="en", message=message)
    out = desk.folder / "x.wav"
    told = json.loads(desk.run("listen", path, "--recognise", "--out", out, "--json").good)
    (sound,) = told["sounds"]
    assert sound["heard"]
    assert 0 < sound["errors"] < 0.9  # the small model knows espeak-ng badly, and not by guess


def test_without_a_recogniser_for_the_language_that_is_said(desk: Desk) -> None:
    answer = desk.run("listen", desk.campaign(), "--recognise")
    assert "no recogniser hears 'vi'" in answer.error
    assert "`recognition` in config.yaml" in answer.error
    assert not list(desk.folder.glob("*.wav"))


def test_what_contacts_are_called_is_text_and_nothing_else(tmp_path: Path) -> None:
    nasty = '<script>alert("1")</script><img src=x onerror=alert(2)>'
    sounds = [Sound("001.wav", 2, f"=1+1{nasty}", "message", nasty, nasty, heard=nasty, errors=0.5)]
    page = write_pages(tmp_path, nasty, sounds, "vi").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert page.count(html.escape(nasty)) == 6  # head, title, contract, why, text, heard
    assert "default-src 'none'" in page
    with (tmp_path / "index.csv").open(encoding="utf-8-sig", newline="") as source:
        (line,) = csv.DictReader(source)
    assert line["contract"].startswith("'=")

"""`duecall dnc`: the stop list at the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.cli.desk import HEADER, Desk, row

PHONES = [f"+849{12_000_000 + n:08d}" for n in range(3)]


def loaded(desk: Desk, **changes: object) -> Path:
    path = desk.campaign(**changes)  # type: ignore[arg-type]
    assert "new" in desk.run("import", path).good
    return path


def listed(desk: Desk, *options: str) -> list[dict[str, object]]:
    found = json.loads(desk.run("dnc", "list", "--json", *options).good)
    assert isinstance(found, list)
    return found


def test_a_number_is_stopped_shown_masked_and_lifted(desk: Desk) -> None:
    loaded(desk)
    assert desk.run("dnc", "list").good == "nobody is stopped\n"
    assert listed(desk) == []
    first = desk.run("dnc", "add", PHONES[0]).good
    assert first == "stopped: +84…000 in all campaigns for ever: dnc\n"
    # The campaign's country is that of national numbers.
    assert "nothing was changed" in desk.run("dnc", "add", "0912 000 000").good
    (shown,) = listed(desk)
    assert shown["value"] == "+84…000"
    assert (shown["kind"], shown["until"], shown["source"]) == ("dnc", None, "operator")
    assert listed(desk, "--full-phones")[0]["value"] == PHONES[0]
    assert PHONES[0] not in desk.run("dnc", "list").good
    report = json.loads(desk.run("report", "people", "--json").good)
    assert report["done"] == 1
    assert desk.run("dnc", "lift", PHONES[0]).good == "lifted: +84…000: dnc\n"
    assert json.loads(desk.run("report", "people", "--json").good)["done"] == 0
    assert "no such stop" in desk.run("dnc", "lift", PHONES[0]).error


def test_each_kind_of_stop_can_be_named(desk: Desk) -> None:
    loaded(desk)
    answers = [
        desk.run("dnc", "add", "HD-000001", "--contract", "--kind", "dispute").good,
        desk.run("dnc", "add", "HD-000001", "--person", "-k", "deceased", "-C", "people.yaml").good,
        desk.run("dnc", "add", "+84 91", "--prefix", "--until", "2126-12-31").good,
    ]
    assert answers == [
        "stopped: HD-000001 in all campaigns for ever: dispute\n",
        "stopped: HD-000001 in campaign people for ever: deceased\n",
        "stopped: +8491 in all campaigns until 2126-12-31 17:00 UTC: dnc\n",
    ]
    assert [(s["what"], s["kind"], s["campaign"]) for s in listed(desk)] == [
        ("contract", "dispute", None),
        ("person", "deceased", "people"),
        ("prefix", "dnc", None),
    ]
    assert [s["what"] for s in listed(desk, "--campaign", "people")] == ["person"]
    assert [s["what"] for s in listed(desk, "--kind", "dispute")] == ["contract"]
    desk.run("dnc", "add", "HD-000001", "--contract").good  # noqa: B018
    several = desk.run("dnc", "lift", "HD-000001", "--contract").error
    assert several == "it is stopped for several reasons: dispute, dnc; name one with --kind"
    assert desk.run("dnc", "lift", "HD-000001", "--contract", "-k", "dispute").code == 0


def test_what_is_wrong_is_said_in_one_line_without_the_number(desk: Desk) -> None:
    loaded(desk)
    wrong = {
        ("+8490",): "too short",
        ("nobody",): "not a phone number",
        ("HD-9", "--contract"): "no account has this contract number",
        ("+849012345678", "--prefix"): "1 to 9 digits",
        (PHONES[0], "--until", "tomorrow"): "no day and no time",
        (PHONES[0], "--until", "2025-12-31"): "--until 2025-12-31 is over already",
        (PHONES[0], "--kind", "Do not"): "small letters",
        (PHONES[0], "--campaign", "nowhere"): "campaign nowhere is not in the database",
    }
    answers = desk.run_all([("dnc", "add", *arguments) for arguments in wrong])
    for (arguments, why), answer in zip(wrong.items(), answers, strict=True):
        assert why in answer.error
        assert arguments[0] not in answer.err or arguments[0].startswith("HD")
    assert listed(desk) == []


def test_stops_that_are_over_are_taken_in_and_told(desk: Desk) -> None:
    """What `export` wrote may hold some; a year that was mistyped must not pass in silence."""
    loaded(desk)
    file = desk.folder / "days.csv"
    file.write_text(f"number,until\n{PHONES[0]},2126-12-31\n{PHONES[1]},2025-12-31\n")
    answer = desk.run("dnc", "import", file)
    assert answer.good == "stops: 2 added, 0 known, 0 lines refused\n"
    assert answer.err == "note: 1 of them are over already and stop nobody, such as line 3\n"
    assert [one["expired"] for one in listed(desk)] == [False, True]


def test_a_file_goes_in_twice_and_out_again(desk: Desk) -> None:
    loaded(desk)
    lines = ["\ufeff# the register of November", *PHONES, "nobody", "", "+8490", *PHONES[:1]]
    file = desk.folder / "register.txt"
    file.write_bytes("\r\n".join(lines).encode())
    answer = desk.run("dnc", "import", file, "--source", "register")
    assert answer.good == "stops: 3 added, 1 known, 2 lines refused\n"
    assert answer.err.splitlines() == [
        "refused: line 5: not a phone number; write it with + and country code, "
        "or as it is dialled in VN",
        "refused: line 7: too short; write it with + and country code, or as it is dialled in VN",
    ]
    assert desk.run("dnc", "import", file).good == "stops: 0 added, 4 known, 2 lines refused\n"
    assert {s["source"] for s in listed(desk)} == {"register"}
    out = desk.folder / "out.csv"
    assert desk.run("dnc", "export", out).good == f"stops: 3 written to {out}\n"
    assert out.stat().st_mode & 0o777 == 0o600
    with out.open(newline="") as written:
        assert sorted(cells["number"] for cells in csv.DictReader(written)) == PHONES
    assert desk.run("dnc", "import", out).good == "stops: 0 added, 3 known, 0 lines refused\n"


def test_files_that_are_of_no_use(desk: Desk) -> None:
    (desk.folder / "wrong.txt").write_text("nobody\n")
    (desk.folder / "utf16.txt").write_bytes("number\n".encode("utf-16"))
    names = ["wrong.txt", "utf16.txt", "missing.txt"]
    wrong, utf16, missing = desk.run_all([("dnc", "import", name) for name in names])
    assert "neither a number nor column names" in wrong.error
    assert "UTF-16" in utf16.error
    assert "missing.txt: No such file or directory" in missing.error


def test_contacts_that_come_in_later_are_stopped_too(desk: Desk) -> None:
    file = desk.folder / "register.txt"
    file.write_text("\n".join(PHONES))
    assert "3 added" in desk.run("dnc", "import", file).good  # before there is a campaign
    loaded(desk, csv=HEADER + "".join(row(n) for n in range(4)))
    assert json.loads(desk.run("report", "people", "--json").good)["done"] == 3


def test_a_bar_shows_how_far_it_is(desk: Desk) -> None:
    file = desk.folder / "register.txt"
    file.write_text("\n".join(PHONES))
    answer = desk.run("dnc", "import", file, DUECALL_PROGRESS="1")
    assert "register.txt" in answer.err

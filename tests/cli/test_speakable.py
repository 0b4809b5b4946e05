"""The proof before a start: who is asked about, what the terminal is shown, what a log is not."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from duecall.cli import speakable
from duecall.cli.common import Context
from duecall.shell.config_file import load_campaign
from tests.cli.desk import HEADER, Desk, row

COLUMNS = HEADER.replace("phone", "phone,card_number,fee,hotline,title,street")
MESSAGE = (
    "{{ name | titled(title) }} {{ fee | money('VND') }} {{ hotline | phone }} "
    "{{ card_number | digits }} {{ street | text }}"
)
GOOD = {
    "card": "ABCD1234",
    "fee": "50000",
    "hotline": "0901234567",
    "title": "chị",
    "street": "Huế",
}


def line(n: int, **cells: str) -> str:
    made = {**GOOD, **cells}
    return row(n)[:-1] + "".join(f',"{made[name]}"' for name in GOOD) + "\n"


def proven(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, rows: list[str], *, terminal: bool, **asked: bool
) -> tuple[int, str]:
    """(how many were left out, or -1 where the command ended, what was shown)."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, no_color=True, width=300)
    monkeypatch.setattr(speakable, "errors", console)
    path = desk.campaign(csv=COLUMNS + "".join(rows), message=MESSAGE)
    context = Context(desk.config)
    campaign = load_campaign(path, context.site)
    try:
        left_out = speakable.prove_contacts(context, campaign, leave_out=asked.get("leave", False))
    except SystemExit as ended:
        assert ended.code == 1
        left_out = -1
    return left_out, shown.getvalue()


def test_all_is_well(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert proven(desk, monkeypatch, [line(1), line(2)], terminal=True) == (0, "")


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        ({"fee": "1.234,5"}, "row 2: fee “1.234,5”: line 1, column 1: both a dot and a comma"),
        ({"fee": ""}, ""),
        ({"title": "M"}, "row 2: name, title “Nguyễn Văn An” “M”: this title is not known"),
        ({"street": "12/04/2026"}, "row 2: street “**/**/**26”"),
        (
            {"street": "Đường 12/4"},
            "row 2: street “Đường 12/4”: this text holds a number with more",
        ),
        ({"card": "970436******2210"}, "row 2: card_number “******” "),
        ({"hotline": "1900 12x4"}, "row 2: hotline “1900 12x4”: line 1, column 1: a phone number"),
        ({"street": "a" * 300}, f"row 2: street “{'a' * 60}…”: this text has more than 200"),
    ],
)
def test_the_terminal_is_shown_the_value_and_a_log_is_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, cells: dict[str, str], shown: str
) -> None:
    rows = [line(1, **cells), line(2)]
    ended, seen = proven(desk, monkeypatch, rows, terminal=True)
    if not shown:  # such a row is refused by the import, and no matter of the proof
        assert (ended, seen) == (0, "")
        return
    assert ended == -1
    assert seen.count("\n") == 1
    if "card" in cells:  # masked, whatever of it the file gives
        assert "970436" not in seen
        assert "row 2: card_number “" in seen
    elif cells.get("street", "").startswith("12/"):
        assert "row 2: street “" in seen
    else:
        assert f"cannot be spoken: {shown}" in seen
    _, logged = proven(desk, monkeypatch, rows, terminal=False)
    (value,) = cells.values()
    assert "row 2: " in logged
    assert "“" not in logged
    assert len(value) == 1 or value not in logged


def test_rows_may_be_left_out_and_are_counted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [line(n, fee="١٢٣" if n % 2 else "5000") for n in range(120)]
    left_out, seen = proven(desk, monkeypatch, rows, terminal=False, leave=True)
    assert left_out == 60
    assert seen.count("cannot be spoken: row") == speakable.FAULTS_SHOWN
    assert "and 10 more" in seen
    assert "left out: 60 of 120 rows cannot be spoken" in capsys.readouterr().out

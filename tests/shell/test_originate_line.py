"""No value, however odd, makes a line for the switch into more than it is meant to be."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.core import commands as c
from duecall.core.attempt import Attempt, agent_leg_id, attempt_id
from duecall.core.contact import Contact
from duecall.core.site import Trunk
from duecall.shell import originate_line as lines
from fs_scripts import contract
from tests.core.building import NOON_IN_HANOI, target

ATTEMPT = attempt_id("bank", "overdue", "HD-1", 1)
TRUNK = Trunk(proxy="127.0.0.1:5080", channels=10, calls_per_second=5)

nasty = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "a\n\napi shutdown",
            "${system rm -rf /}",
            "x,execute_on_answer=system",
            "x}sofia/gateway/other/1",
            "' inline",
            "a b",
            "a)b",
            "\\n",
            "Nguyễn Văn Ấ, ${x}",
            "^^:a:b",
            "‮",
        ]
    ),
)


def originate(*, phone: str = "+84900000001", recording: Path | None = None, **changes: Any) -> str:
    who = replace(target(), contact=Contact(name=changes.pop("name", "x"), phone=phone))
    command = c.Originate(
        attempt=Attempt(changes.pop("attempt_id", ATTEMPT), 1, who, NOON_IN_HANOI),
        trunk="demo",
        caller_id="842412345678",
        caller_name="",
        ring_s=30,
        max_call_s=300,
        record=recording is not None,
        transfer_wait_s=60,
    )
    presence = changes.pop("presence", "duecall:d1")
    trunk = changes.pop("settings", TRUNK)
    return lines.originate(
        replace(command, **changes), trunk, presence=presence, recording=recording
    )


def parts(line: str) -> tuple[dict[str, str], str, list[str]]:
    """Variables, destination, applications. Fails on any other shape."""
    found = re.fullmatch(r"originate '\{([^{}']*)\}([^{}' ]*)' '([^' ]*)' inline", line)
    assert found is not None, line
    pairs = [pair.split("=", 1) for pair in found[1].split(",")]
    names = [pair[0] for pair in pairs]
    assert len(names) == len(set(names))
    return dict(pairs), found[2], found[3].split(",")


def test_the_whole_line() -> None:
    variables, where, apps = parts(originate(caller_name="Ngân hàng Đông Á"))
    brief = contract.Brief.decode(variables.pop("duecall_brief"))
    assert brief.attempt_id == ATTEMPT
    assert variables == {
        "origination_uuid": ATTEMPT,
        "presence_data": "duecall:d1",
        "ignore_early_media": "true",
        "originate_timeout": "30",
        "origination_caller_id_number": "842412345678",
        "origination_caller_id_name": "Ngan hang Dong A",
        "outbound_redirect_fatal": "true",
        "park_timeout": "120:ALLOTTED_TIMEOUT",
    }
    assert where == "sofia/gateway/demo/+84900000001"
    assert apps == ["python:fs_scripts.entry", "park:"]


def test_recording_and_no_agents() -> None:
    path = lines.recording_path(Path("/var/recordings"), ATTEMPT, "2026-11-23")
    variables, _, apps = parts(originate(recording=path, transfer_wait_s=0))
    assert variables["RECORD_STEREO"] == "true"
    assert "park_timeout" not in variables
    assert apps == [
        f"record_session:/var/recordings/2026-11-23/{ATTEMPT}.wav",
        "python:fs_scripts.entry",
    ]


KNOWN = {
    "origination_uuid",
    "presence_data",
    "ignore_early_media",
    "originate_timeout",
    "origination_caller_id_number",
    "origination_caller_id_name",
    "outbound_redirect_fatal",
    "park_timeout",
    "duecall_brief",
    "RECORD_STEREO",
}


@settings(deadline=None)
@given(
    st.sampled_from(
        ["name", "phone", "caller_id", "caller_name", "trunk", "attempt_id", "presence", "path"]
    ),
    nasty,
)
def test_no_value_breaks_out(where: str, value: str) -> None:
    changes: dict[str, Any] = {where: value}
    if where == "path":
        changes = {"recording": Path("/r") / value.replace("\0", "")}
    try:
        line = originate(**changes)
    except ValueError:
        return
    assert all(" " <= x <= "~" for x in line)
    assert "$" not in line and "\\" not in line
    variables, destination, apps = parts(line)
    assert set(variables) <= KNOWN
    assert re.fullmatch(r"sofia/gateway/[A-Za-z0-9_.:+@/-]*/\+?[0-9]{2,20}", destination)
    assert [app.split(":")[0] for app in apps if not app.startswith("record")] == ["python", "park"]


@settings(deadline=None)
@given(nasty)
def test_what_a_contact_is_called_is_never_on_the_line(name: str) -> None:
    assert originate(name=name) == originate(name="somebody else")


@settings(deadline=None)
@given(st.sampled_from(["attempt_id", "leg_id", "address", "caller_id"]), nasty)
def test_an_agents_line_is_what_it_is(where: str, value: str) -> None:
    command = c.CallAgent(
        ATTEMPT, agent_leg_id(ATTEMPT, 1), "sip:anna@127.0.0.1:5090", 20, "842412345678", True
    )
    try:
        line = lines.call_agent(
            replace(command, **{where: value}), profile="duecall", presence="duecall:d1"
        )
    except ValueError:
        return
    assert re.fullmatch(
        r"originate \{[A-Za-z0-9_.:+@/,=-]*\}sofia/duecall/[A-Za-z0-9_.+-]+@[A-Za-z0-9_.:-]+ "
        r"&intercept\([0-9a-f-]{36}\)",
        line,
    )


@settings(deadline=None)
@given(st.lists(nasty, max_size=3), nasty)
def test_sounds_causes_and_ids(sounds: list[str], word: str) -> None:
    for build in (
        lambda: lines.say_and_hang_up(ATTEMPT, sounds),
        lambda: lines.hang_up(ATTEMPT, word),
        lambda: lines.hang_up(word, "NORMAL_CLEARING"),
        lambda: lines.exists(word),
        lambda: lines.hold_music(ATTEMPT, Path(word.replace("\0", "")), 3),
    ):
        try:
            line = build()
        except ValueError:
            continue
        assert re.fullmatch(r"[A-Za-z0-9_.:+@/!,' -]+", line)


def test_sounds_are_said_one_after_another() -> None:
    assert lines.say_and_hang_up(ATTEMPT, ["/a.wav", "/b.wav"]) == (
        f"uuid_transfer {ATTEMPT} "
        "'playback:file_string:///a.wav!/b.wav,hangup:NORMAL_CLEARING' inline"
    )
    with pytest.raises(lines.UnsafeValue, match="1 to 100"):
        lines.file_string(["/a.wav"] * 101)  # the switch would drop the rest without a word


@pytest.mark.parametrize(
    ("phone", "number_format", "dialled"),
    [
        ("+84901234567", "e164", "+84901234567"),
        ("+84901234567", "plain", "84901234567"),
        ("+84901234567", "national", "0901234567"),
        ("+79161234567", "national", "89161234567"),
        ("+8613123456789", "national", "13123456789"),
        ("+442071838750", "national", "02071838750"),
    ],
)
def test_numbers_as_trunks_want_them(phone: str, number_format: str, dialled: str) -> None:
    assert lines.dial_number(phone, number_format) == dialled
    trunk = TRUNK.model_copy(update={"number_format": number_format})
    assert originate(phone=phone, settings=trunk).split(" ")[1].endswith(f"/{dialled}'")


@pytest.mark.parametrize("phone", ["", "12", "+84 90", "+84;x", "0901234567x", "+849\n0"])
def test_what_is_no_number_is_not_dialled(phone: str) -> None:
    with pytest.raises(lines.UnsafeValue) as error:
        lines.dial_number(phone, "national")
    assert phone.strip() == "" or phone not in str(error.value)


def test_an_unsafe_value_is_not_repeated_in_the_message() -> None:
    with pytest.raises(lines.UnsafeValue, match="'\\$'") as error:
        lines.safe("the daemon's id", "secret${x}")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "plain"),
    [("Ngân hàng ABC", "Ngan hang ABC"), ("Đông Á", "Dong A"), ("银行", ""), ("A, ${b}", "A b")],
)
def test_a_callers_name_in_plain_letters(name: str, plain: str) -> None:
    assert lines.plain_name(name) == plain

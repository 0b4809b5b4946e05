"""The parts that need no process: lines, causes, events, sounds, recordings."""

from __future__ import annotations

import json
import math
import re
import struct
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocket_switch import causes, sip_cause
from pocket_switch.applications import broadcast_app
from pocket_switch.dial_string import DialStringError, inline_apps, parse, split_words
from pocket_switch.events import Stamp, to_json, to_plain
from pocket_switch.recording import Recorder
from pocket_switch.sounds import FRAME_BYTES, SoundError, open_sound
from pocket_switch.telephone_event import offer_payload
from tests.pocket_switch.sound_files import MESSAGE_HZ, sides, tone_ms, write_tone


def test_an_originate_line_is_read() -> None:
    dial = parse(
        "{origination_uuid=U,presence_data=duecall:d,brief=a-b_c}sofia/gateway/gw/+84901234567 "
        "'record_session:/a/U.wav,python:fs_scripts.entry,park:' inline"
    )
    assert (dial.endpoint, dial.path) == ("sofia", "gateway/gw/+84901234567")
    assert dial.variables == {
        "origination_uuid": "U",
        "presence_data": "duecall:d",
        "brief": "a-b_c",
    }
    assert dial.apps == [
        ("record_session", "/a/U.wav"),
        ("python", "fs_scripts.entry"),
        ("park", ""),
    ]


def test_an_application_is_read() -> None:
    assert parse("null/1 &intercept(U)").apps == [("intercept", "U")]
    assert parse("null/1 &park").apps == [("park", "")]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", "-USAGE"),
        ("null/1", "-USAGE"),
        ("nothing &park()", "-ERR CHAN_NOT_IMPLEMENTED"),
        ("{a=b null/1 &park()", "-USAGE"),
        ("null/1 1234 XML default", "-ERR NO_ROUTE_DESTINATION"),
        ("null/1 &", "-USAGE"),
    ],
)
def test_what_is_not_an_originate_line_is_refused(line: str, reply: str) -> None:
    with pytest.raises(DialStringError, match=re.escape(reply)):
        parse(line)


@given(st.lists(st.text("abcXYZ019_.:+@/-", min_size=1), min_size=1))
def test_words_come_back_quoted_or_not(words: list[str]) -> None:
    assert split_words(" ".join(words)) == words
    assert split_words(" ".join(f"'{word}'" for word in words)) == words


def test_the_first_colon_splits_an_application() -> None:
    assert inline_apps("playback:file_string:///a.wav!/b.wav,hangup:NORMAL_CLEARING") == [
        ("playback", "file_string:///a.wav!/b.wav"),
        ("hangup", "NORMAL_CLEARING"),
    ]


def test_a_broadcast_is_a_sound_or_an_application() -> None:
    assert broadcast_app("file_string:///a!/b") == ("playback", "file_string:///a!/b")
    assert broadcast_app("endless_playback::/a.wav") == ("endless_playback", "/a.wav")


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        *((486, "USER_BUSY"), (600, "USER_BUSY"), (480, "NO_USER_RESPONSE")),
        *((404, "UNALLOCATED_NUMBER"), (484, "INVALID_NUMBER_FORMAT"), (410, "NUMBER_CHANGED")),
        *((403, "CALL_REJECTED"), (603, "CALL_REJECTED"), (607, "UNWANTED")),
        *((503, "NORMAL_TEMPORARY_FAILURE"), (408, "RECOVERY_ON_TIMER_EXPIRE")),
        *(
            (487, "ORIGINATOR_CANCEL"),
            (488, "INCOMPATIBLE_DESTINATION"),
            (599, "NORMAL_UNSPECIFIED"),
        ),
        *((302, "REQUESTED_CHAN_UNAVAIL"), (502, "NETWORK_OUT_OF_ORDER")),
    ],
)
def test_a_sip_status_has_a_cause(status: int, cause: str) -> None:
    assert causes.of_sip_status(status) == cause
    assert cause in causes.NUMBERS


def test_a_reason_header_is_believed_before_the_status() -> None:
    message = "SIP/2.0 480 x\r\nReason: SIP;cause=480\r\nreason: Q.850 ;cause=17;text=x\r\n\r\n"
    cause, variables = sip_cause.of_final_response(480, "x", message)
    assert (cause, variables["sip_term_status"], variables["sip_term_cause"]) == (
        "USER_BUSY",
        "480",
        "17",
    )


def test_causes_as_people_write_them() -> None:
    assert causes.normalise("normal_clearing") == "NORMAL_CLEARING"
    assert causes.normalise("17") == "USER_BUSY"
    assert causes.normalise("no such thing", "MANAGER_REQUEST") == "MANAGER_REQUEST"


def test_an_event_is_the_same_in_every_format() -> None:
    stamp = Stamp("core")
    event = stamp("CUSTOM", {"Name": "Nguyễn\nx: y", "Empty": ""}, 1_795_324_822_423_545)
    again = json.loads(to_json(event, "body\n"))
    assert again["Name"] == "Nguyễn\nx: y"
    assert (again["_body"], again["Content-Length"]) == ("body\n", "5")
    assert again["Event-Date-GMT"] == "Sun, 22 Nov 2026 05:20:22 GMT"
    plain = to_plain(event, "body\n")
    assert b"Name: Nguy%E1%BB%85n%0Ax: y\n" in plain
    assert b"Empty: _undef_\n" in plain
    assert plain.endswith(b"Content-Length: 5\n\nbody\n")
    assert int(stamp("CUSTOM", {})["Event-Sequence"]) == int(event["Event-Sequence"]) + 1


def test_keys_are_offered_on_payload_101() -> None:
    sdp = (
        "v=0\r\nm=audio 17400 RTP/AVP 0 8 120\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:120 telephone-event/8000\r\na=fmtp:120 0-16\r\na=ssrc:1201205 cname:120\r\n"
    )
    offered = offer_payload(sdp, 101)
    assert "m=audio 17400 RTP/AVP 0 8 101\r\n" in offered
    assert "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n" in offered
    assert "a=ssrc:1201205 cname:120\r\n" in offered
    assert offer_payload(offered, 101) == offered
    assert offer_payload("v=0\r\n", 101) == "v=0\r\n"


def test_a_row_of_sounds_is_played_without_those_missing(tmp_path: Path) -> None:
    one, two = write_tone(tmp_path / "1.wav", 0.5), write_tone(tmp_path / "2.wav", 0.25)
    sound = open_sound(f"file_string://{one}!{tmp_path}/none.wav!{two}")
    assert sound.length_ms == 750
    assert sound.skipped == (f"{tmp_path}/none.wav",)
    frames = []
    while (frame := sound.next_frame()) is not None:
        assert len(frame) == FRAME_BYTES
        frames.append(frame)
    assert len(frames) == math.ceil(750 / 20)
    assert sound.played_ms == 750
    with pytest.raises(SoundError, match="none of these"):
        open_sound(f"file_string://{tmp_path}/none.wav")


def test_silence_hold_music_and_unknown_kinds(tmp_path: Path) -> None:
    assert open_sound("silence_stream://300,1400").length_ms == 300
    assert open_sound("silence_stream://-1").length_ms == math.inf
    music = open_sound("local_stream://moh", str(write_tone(tmp_path / "m.wav", 0.1)))
    assert all(music.next_frame() is not None for _ in range(50))
    assert open_sound("local_stream://moh").next_frame() is not None
    with pytest.raises(SoundError, match="tone_stream"):
        open_sound("tone_stream://%(100,0,440)")


def test_a_file_of_another_rate_is_converted_and_an_8000_folder_is_preferred(
    tmp_path: Path,
) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        samples = (int(9_000 * math.sin(2 * math.pi * 440 * n / 16_000)) for n in range(16_000))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    assert open_sound(str(tmp_path / "a.wav")).length_ms == pytest.approx(1_000, abs=1)
    (tmp_path / "8000").mkdir()
    write_tone(tmp_path / "8000" / "a.wav", 0.2)
    assert open_sound(str(tmp_path / "a.wav")).length_ms == 200


def test_a_recording_keeps_both_sides_side_by_side(tmp_path: Path) -> None:
    """The left side starts half a second late: it is filled up, not shifted."""
    tone = open_sound(str(write_tone(tmp_path / "t.wav", 1.0))).pcm
    frames = [tone[at : at + FRAME_BYTES] for at in range(0, len(tone), FRAME_BYTES)]
    recorder = Recorder(str(tmp_path / "deep" / "r.wav"), stereo=True)
    for number, frame in enumerate(frames):
        recorder.say(frame)
        if number >= 25:
            recorder.hear(frame)
    size = recorder.close()
    left, right = sides(tmp_path / "deep" / "r.wav")
    assert size == (tmp_path / "deep" / "r.wav").stat().st_size
    assert len(left) == len(right) == recorder.samples >= 8_000
    assert tone_ms(right, MESSAGE_HZ) >= 950
    assert tone_ms(left[:3_200], MESSAGE_HZ) == 0
    assert tone_ms(left[4_800:], MESSAGE_HZ) >= 300
    assert recorder.close() == 0

"""Bytes cut anywhere give the same frames, and no value becomes a header."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duecall.shell.esl_frames import (
    BODY_MAX_BYTES,
    CUT_REPLY_BYTES,
    HEAD_MAX_BYTES,
    Frame,
    FrameReader,
    ProtocolError,
    decode_event,
)
from tests.shell.fake_switch import frame, json_event, ok

bodies = st.binary(max_size=200)
frames = st.one_of(
    bodies.map(lambda body: frame("api/response", body)),
    st.sampled_from(["+OK", "-ERR no", "+OK Job-UUID: 7"]).map(ok),
    st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), min_size=1).map(
        json_event
    ),
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    pieces, start = [], 0
    for end in ends:
        pieces.append(data[start:end])
        start = end
    return pieces


@settings(deadline=None)
@given(st.lists(frames, min_size=1, max_size=6), st.lists(st.integers(0, 10_000), max_size=30))
def test_any_cut_gives_the_same_frames(sent: list[bytes], places: list[int]) -> None:
    whole = FrameReader().feed(b"".join(sent))
    reader = FrameReader()
    got = [one for piece in cut(b"".join(sent), places) for one in reader.feed(piece)]
    assert got == whole
    assert len(got) == len(sent)
    assert not reader.inside_a_frame


def test_byte_by_byte() -> None:
    event = {"Event-Name": "HEARTBEAT", "_body": "a\n\nb"}
    data = json_event(event) + ok("+OK bye")
    reader = FrameReader()
    got = [one for byte in data for one in reader.feed(bytes([byte]))]
    assert [one.kind for one in got] == ["text/event-json", "command/reply"]
    assert decode_event(got[0]) == event
    assert got[1].headers["Reply-Text"] == "+OK bye"


def test_a_reader_knows_that_it_is_in_the_middle() -> None:
    reader = FrameReader()
    assert reader.feed(frame("api/response", b"12345")[:-1]) == []
    assert reader.inside_a_frame
    assert [one.body for one in reader.feed(b"5")] == [b"12345"]
    assert not reader.inside_a_frame


FORGED = "Bob%0AHangup-Cause: USER_BUSY%0AUnique-ID: other"


def test_a_newline_in_a_value_stays_a_value() -> None:
    event = {"Unique-ID": "mine", "variable_name": FORGED}
    plain = "\n".join(f"{k}: {v}" for k, v in event.items()).encode() + b"\n\n"
    for sent in (json_event(event), frame("text/event-plain", plain)):
        [got] = FrameReader().feed(sent)
        heard = decode_event(got)
        assert heard["Unique-ID"] == "mine"
        assert "Hangup-Cause" not in heard


def test_a_plain_event_keeps_its_body_apart() -> None:
    inner = b"Event-Name: BACKGROUND_JOB\nJob-UUID: 7\nContent-Length: 14\n\n-ERR USER_BUSY"
    [got] = FrameReader().feed(frame("text/event-plain", inner))
    heard = decode_event(got)
    assert heard["_body"] == "-ERR USER_BUSY"
    assert heard["Content-Length"] == "14"


def test_the_first_of_two_headers_counts() -> None:
    [got] = FrameReader().feed(b"Reply-Text: +OK\nReply-Text: -ERR\nContent-Type: x\n\n")
    assert got.headers["Reply-Text"] == "+OK"


def test_bytes_that_are_no_utf8_do_no_harm() -> None:
    body = json.dumps({"Caller-Name": "caf?"}).encode().replace(b"?", b"\xe9")
    [got] = FrameReader().feed(frame("text/event-json", body))
    assert decode_event(got) == {"Caller-Name": "caf�"}


@pytest.mark.parametrize(
    "bad",
    [
        b"Content-Length: -5\n\n",
        b"Content-Length: 1e3\n\n",
        b"Content-Length: \xd9\xa3\n\n",  # a digit, but none that we know
        b"Content-Length: %d\n\n" % (BODY_MAX_BYTES + 1),
        b"Content-Length: " + b"9" * 5_000 + b"\n\n",
        b"x" * (HEAD_MAX_BYTES + 1),
    ],
)
def test_what_is_no_frame_is_refused(bad: bytes) -> None:
    with pytest.raises(ProtocolError):
        FrameReader().feed(bad)


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"12", b"\xff"])
def test_what_is_no_event_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode_event(Frame("text/event-json", {}, body))


def test_an_accepted_login_whose_reply_was_cut() -> None:
    """FreeSWITCH has 512 bytes for it, and long lists of rights do not fit."""
    whole = b"Content-Type: command/reply\nReply-Text: +OK accepted\nAllowed-API: " + b"x " * 400
    reader = FrameReader()
    assert reader.feed(whole[: CUT_REPLY_BYTES - 1]) == []
    assert reader.cut_reply() is None  # more may come
    assert reader.feed(whole[CUT_REPLY_BYTES - 1 : CUT_REPLY_BYTES]) == []
    got = reader.cut_reply()
    assert got is not None and got.headers["Reply-Text"] == "+OK accepted"
    [after] = reader.feed(ok("+OK next"))
    assert after.headers["Reply-Text"] == "+OK next"


def test_a_refused_login_is_never_taken_for_a_cut_one() -> None:
    reader = FrameReader()
    reader.feed(b"Content-Type: command/reply\nReply-Text: -ERR invalid\n" + b"x" * 600)
    assert reader.cut_reply() is None

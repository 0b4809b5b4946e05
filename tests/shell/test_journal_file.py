"""The journal's files: nothing in clear, and nobody changes, moves or cuts them unnoticed."""

from __future__ import annotations

import os
import pickle
import shutil
import stat
import struct
import zlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from duecall.core import events as e
from duecall.core.dialer import Dialer
from duecall.shell import journal, journal_codec
from duecall.shell.journal_codec import Decoder, Encoder, UnknownContent
from duecall.shell.journal_file import (
    ENTRIES,
    SNAPSHOT,
    Ending,
    SegmentWriter,
    segments_in,
)
from duecall.shell.journal_replay import replay, replay_folder
from duecall.shell.vault import Vault, new_key_text
from tests.core import building
from tests.shell.journal_world import VAULT, Noted, entries_of, only_segment, site_in


def blocks_of(path: Path) -> tuple[bytes, list[bytes]]:
    """The line in clear, and each block with its length."""
    data = path.read_bytes()
    start = data.index(b"\n") + 1
    head, blocks = data[:start], []
    while start < len(data):
        end = start + 4 + struct.unpack(">I", data[start : start + 4])[0]
        blocks.append(data[start:end])
        start = end
    return head, blocks


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Some blocks of entries in one file."""
    monkeypatch.setattr(journal, "BLOCK_MAX", 10)
    noted = Noted(site_in(tmp_path / "var"), building.moment(0))
    noted.handle(e.SwitchUp(building.moment(0), frozenset()))
    noted.handle(e.CampaignStarted(building.moment(0), building.campaign()))
    targets = tuple(building.target(n) for n in range(1, 31))
    noted.handle(e.TargetsLoaded(building.moment(1), "overdue", targets))
    for step in range(40):
        noted.handle(e.Woke(building.moment(1 + step / 4)))
        for attempt in list(noted.live):
            noted.handle(e.AttemptSaved(building.moment(1 + step / 4), attempt))
    noted.journal.close()
    path = only_segment(noted.folder)
    assert len(blocks_of(path)[1]) > 6
    return path


def test_nothing_of_anybody_can_be_read(segment: Path) -> None:
    data = segment.read_bytes()
    for number in range(1, 31):
        target = building.target(number)
        account = target.account
        for text in (
            target.contact.phone,
            target.contact.phone[1:],
            target.contact.name,
            account.contract_number,
            target.phone_hash,
        ):
            assert text.encode() not in data
    # Nor what is only compressed: nowhere does a compressed stream begin that says anything.
    for start in range(len(data) - 2):
        if data[start] == 0x78:
            with suppress(zlib.error):
                assert len(zlib.decompressobj().decompress(data[start:])) < 40
    phones = {
        target.contact.phone
        for entry in entries_of(segment)
        if isinstance(entry.event, e.TargetsLoaded)
        for target in entry.event.targets
    }
    assert len(phones) == 30  # it is all there, for who has the key


def test_only_its_owner_may_read_it(segment: Path) -> None:
    assert stat.S_IMODE(segment.stat().st_mode) == 0o600
    assert stat.S_IMODE(segment.parent.stat().st_mode) == 0o700


def test_wherever_it_is_torn_what_stands_before_counts(segment: Path) -> None:
    data = segment.read_bytes()
    head, blocks = blocks_of(segment)
    whole = replay(segment, VAULT)
    ends = [len(head) + sum(map(len, blocks[:count])) for count in range(len(blocks) + 1)]
    last_events = 0
    for length in [*range(ends[2], ends[-2], 97), ends[-2]]:
        segment.write_bytes(data[:length])
        done = replay(segment, VAULT)
        assert done.same, done.problem
        assert done.ending is (Ending.OPEN if length in ends else Ending.TORN)
        assert last_events <= done.events <= whole.events
        last_events = done.events
    assert last_events == whole.events  # the end mark alone was missing
    segment.write_bytes(data[: ends[-2]] + bytes(50))  # never written, as after a loss of power
    assert replay(segment, VAULT).ending is Ending.TORN


def test_a_segment_that_was_cut_before_its_first_event_says_so(segment: Path) -> None:
    head, blocks = blocks_of(segment)
    for kept in ([], blocks[:1]):
        segment.write_bytes(head + b"".join(kept))
        assert "cut off as it began" in replay(segment, VAULT).problem


def swapped(blocks: list[bytes]) -> list[bytes]:
    return [*blocks[:3], blocks[4], blocks[3], *blocks[5:]]


def without_one(blocks: list[bytes]) -> list[bytes]:
    return [*blocks[:3], *blocks[4:]]


def doubled(blocks: list[bytes]) -> list[bytes]:
    return [*blocks[:4], *blocks[3:]]


def without_the_first(blocks: list[bytes]) -> list[bytes]:
    return blocks[1:]


def with_more_behind(blocks: list[bytes]) -> list[bytes]:
    return [*blocks, blocks[-2]]


@pytest.mark.parametrize(
    "change", [swapped, without_one, doubled, without_the_first, with_more_behind]
)
def test_blocks_have_their_place(
    segment: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    head, blocks = blocks_of(segment)
    before = replay(segment, VAULT).events
    segment.write_bytes(head + b"".join(change(blocks)))
    done = replay(segment, VAULT)
    assert "damaged at block" in done.problem
    assert str(segment) in done.problem
    assert done.events <= before


def test_no_byte_of_a_block_can_be_changed(segment: Path) -> None:
    data = bytearray(segment.read_bytes())
    head, blocks = blocks_of(segment)
    start = len(head)
    for block in blocks:
        for place in range(start + 4, start + len(block), 1 + len(block) // 7):
            data[place] ^= 1
            segment.write_bytes(bytes(data))
            assert replay(segment, VAULT).problem, place
            data[place] ^= 1
        start += len(block)


def test_blocks_of_another_segment_do_not_fit(tmp_path: Path, segment: Path) -> None:
    other = segment.with_name("00000002-20261123T050000Z.journal")
    head, blocks = blocks_of(segment)
    other.write_bytes(head.replace(b" 00000001-", b" 00000002-") + b"".join(blocks))
    assert "damaged at block 0" in replay(other, VAULT).problem
    renamed = segment.with_name("20261123T050000.000002Z.journal")
    shutil.copy(segment, renamed)
    assert replay(renamed, VAULT).same  # its name stands inside


def test_what_was_cut_before_another_segment_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may be cut between two blocks; the segment that follows knows how long it was."""
    monkeypatch.setattr(journal, "SEGMENT_S", 10)
    monkeypatch.setattr(journal, "BLOCK_MAX", 10)
    noted = Noted(site_in(tmp_path), building.moment(0))
    for step in range(100):
        noted.handle(e.SwitchDown(building.moment(step / 4), "link lost"))
    noted.journal.close()
    first, second, third = segments_in(noted.folder)
    assert all(one.same for one in replay_folder([first, second, third], VAULT))
    head, blocks = blocks_of(second)
    second.write_bytes(head + b"".join(blocks[:-2]))
    done = replay_folder([first, second, third], VAULT)
    assert [bool(one.problem) for one in done] == [False, True, False]
    assert "was cut" in done[1].problem
    done = replay_folder([first, third], VAULT)
    assert f"{second.stem}, is not here" in done[1].problem
    done = replay_folder([second, third], VAULT)  # the oldest go: that is no fault
    assert "not here" not in done[0].problem


def test_another_key_opens_nothing(segment: Path) -> None:
    done = replay(segment, Vault(new_key_text()))
    assert "not in the key file" in done.problem
    assert done.events == 0


def test_files_that_are_no_journal_are_refused(segment: Path) -> None:
    _, blocks = blocks_of(segment)
    segment.write_bytes(b"duecall-journal 2 20261123T050000.000000Z\n" + b"".join(blocks))
    assert "format 2" in replay(segment, VAULT).problem
    segment.write_bytes(os.urandom(500))
    assert "not a journal" in replay(segment, VAULT).problem
    segment.write_bytes(b"")
    assert "not a journal" in replay(segment, VAULT).problem


# ---- who has the key still cannot make the reader do things


class Runs:
    """Pickled, it is a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


def forged(folder: Path, content: bytes, kind: bytes = ENTRIES) -> Path:
    """A segment that was sealed rightly, and holds this."""
    meta = {"duecall": "0", "python": "3", "core": "x", "name": "forged", "follows": None}
    writer = SegmentWriter(folder, "forged", VAULT, meta)
    dialer = Encoder().snapshot(Noted(site_in(folder), building.moment(0)).dialer)
    if kind == ENTRIES:
        writer.write(SNAPSHOT, dialer)
    writer.write(kind, content)
    writer.close()
    return writer.path


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch executed",)),
        (eval, ("open('executed', 'w')",)),
        (getattr, (str, "join")),
        (__import__, ("antigravity",)),
        (building.campaign, ()),
        (journal.Journal, ()),
        (Vault, ("x",)),
        (e.CampaignStarted.__init__, ()),
        (bytearray, (10,)),
    ],
)
@pytest.mark.parametrize("kind", [ENTRIES, SNAPSHOT])
def test_reading_calls_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: Any, arguments: Any, kind: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    path = forged(tmp_path, pickle.dumps((0, [Runs(function, *arguments)])), kind)
    done = replay(path, VAULT, any_version=True)
    assert "has no place in a journal" in done.problem
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x05K\x01.", b"garbage", pickle.dumps((0, [1]))])
def test_what_is_no_block_of_entries_is_refused(tmp_path: Path, content: bytes) -> None:
    done = replay(forged(tmp_path, content), VAULT, any_version=True)
    assert "cannot be understood" in done.problem


def test_what_another_version_knew_is_told(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(e, "SwitchUp")
    done = replay(segment, VAULT)
    assert "SwitchUp has no place" in done.problem
    assert "Replay it with the Duecall that wrote it" in done.problem


def test_methods_are_those_of_the_core_alone(tmp_path: Path) -> None:
    dialer = Dialer(site_in(tmp_path), building.moment(0))
    allowed = Decoder().snapshot(Encoder().snapshot(dialer))
    assert allowed._handlers[e.Woke].__self__ is allowed  # type: ignore[attr-defined]
    dialer.sent.handlers[e.Woke] = Decoder().block
    with pytest.raises(UnknownContent, match="Decoder"):
        Decoder().snapshot(Encoder().snapshot(dialer))
    dialer.sent.handlers[e.Woke] = deque([1]).append
    with pytest.raises(UnknownContent, match="getattr"):
        Decoder().snapshot(Encoder().snapshot(dialer))
    call_of_a_dict = Runs(journal_codec.method, dialer.live, "pop")
    with pytest.raises(UnknownContent, match="has no method pop"):
        Decoder().block(pickle.dumps((0, [call_of_a_dict])))

"""A message of many fragments, played in a call: no join is heard, as a gap or as a click.

What the switch recorded of the call is laid beside the files that it was told to play: each is
found where the one before it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from duecall.core.contact_row import ParsedRow
from duecall.shell import config_file
from duecall.shell.contacts_csv import read_contacts
from duecall.shell.loopback_site import SwitchKind
from duecall.shell.preparer import Preparer
from duecall.speech.planner import Utterance
from duecall.speech.prompts import Manifest, parts_of
from tests.e2e.world import World, rows_with

RATE_HZ = 8_000
GAP_MAX_MS = 80  # beyond the silence that the files hold themselves
OVERLAP_MAX_MS = 2  # of measuring
NEAR_MS = 6  # a click is looked for so far around a join
AROUND_MS = 250  # and compared with the sound so far around it
FAINT = 0.01  # full scale is 1; G.711 itself jumps more than this in a quiet vowel
QUIET = 0.002  # of samples; below this nothing is heard: 31 dB under the speech
MESSAGE = [
    "Kính chào {{ name }}. Quý khách còn nợ {{ balance }}, hợp đồng {{ contract_number }}, "
    "lãi {{ interest_rate | yearly }}, hạn {{ due_date }}. "
    "Phí là {{ '123456789' | money('VND') }} và {{ '987654.32' | money('USD') }}. "
    "Xin gọi {{ '0912345678' | phone }} trước {{ '14:30' | time }} {{ due_date }}."
]
Sound = npt.NDArray[np.float64]


@dataclass
class Call:
    """heard: what the switch sent to the callee. starts: where each file begins, in samples."""

    manifest: Manifest
    steps: list[Utterance | Path]
    files: list[Sound]
    heard: Sound
    starts: list[int]


@pytest.fixture(scope="module")
def call(switch_kind: SwitchKind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    folder = tmp_path_factory.mktemp(f"joins-{switch_kind}")
    changes = {"message": MESSAGE, "record": True}
    with World(folder, switch_kind, rows_with("listens"), changes=changes) as world:
        world.start_everything()
        world.wait_finished(timeout_s=120)
        manifest, steps = _planned(world)
        (attempt,) = world.report()
        assert attempt["outcome"] == "delivered"
        both, rate_hz = soundfile.read(world.site.path("recordings") / attempt["recording"])
        assert rate_hz == RATE_HZ
        files = [soundfile.read(path)[0] for path in manifest.paths]
        heard = max((both[:, 0], both[:, 1]), key=lambda side: _best(side, files[0])[1])
        yield Call(manifest, steps, files, heard, _starts(heard, files))


def _planned(world: World) -> tuple[Manifest, list[Utterance | Path]]:
    site = config_file.load_site(world.folder / "config.yaml")
    loaded = config_file.load_campaign(world.campaign, site)
    (row,) = read_contacts(
        Path(loaded.contacts), loaded, today=date(2026, 11, 22), needed=frozenset()
    )
    assert isinstance(row, ParsedRow)
    preparer = Preparer(site)
    book, _, values = preparer.jobs_of(loaded, row.contact, row.account)
    parts = parts_of(loaded.message, Path("/"), loaded.language)
    return preparer.message(loaded, row.contact, row.account), book.steps(parts, values)


def _best(sound: Sound, file: Sound) -> tuple[int, float]:
    """Where the file fits best in the sound, and how well (1: it is the same)."""
    places = sound.size - file.size + 1
    padded = 1 << (sound.size - 1).bit_length()  # only the ends that are left out run round
    spectrum = np.fft.rfft(sound, padded) * np.conj(np.fft.rfft(file, padded))
    fits = np.fft.irfft(spectrum, padded)[:places]
    sums = np.cumsum(np.r_[0.0, sound**2])
    energy = sums[file.size :] - sums[:places]
    likeness = fits / np.sqrt(np.maximum(energy, 1e-9) * max((file**2).sum(), 1e-9))
    at = int(likeness.argmax())
    return at, float(likeness[at])


def _starts(heard: Sound, files: list[Sound]) -> list[int]:
    starts: list[int] = []
    at = 0
    for number, file in enumerate(files):
        if not file.any():  # silence alone is where the one before it ends
            starts.append(at)
            at += file.size
            continue
        early = 0 if number == 0 else RATE_HZ * 20 // 1000
        late = RATE_HZ * (10 if number == 0 else 1)
        first = max(0, at - early)
        found, likeness = _best(heard[first : at + file.size + late], file)
        assert likeness > 0.95, (number, likeness)
        starts.append(first + found)
        at = first + found + file.size
    return starts


def _declared_ms(sounds: Sequence[Utterance | Path]) -> list[int]:
    """The silence that was planned between each sound and the next one."""
    spoken = [one if isinstance(one, Utterance) else Utterance("?") for one in sounds]
    return [
        this.tail_ms + then.lead_ms + (this.lead_ms if not this.text else 0)
        for this, then in pairwise(spoken)
    ]


def _quiet_ms(heard: Sound, join: int) -> float:
    """How long nothing is heard around a join."""
    loud = np.abs(heard) > QUIET
    before = np.flatnonzero(loud[:join][::-1])
    after = np.flatnonzero(loud[join:])
    return float(before[0] + after[0]) * 1000 / RATE_HZ


def _gaps_ms(call: Call) -> list[float]:
    ends = [start + file.size for start, file in zip(call.starts, call.files, strict=True)]
    return [
        (start - end) * 1000 / RATE_HZ for end, start in zip(ends, call.starts[1:], strict=False)
    ]


def test_a_message_has_many_fragments(call: Call) -> None:
    assert len(call.files) >= 35
    assert call.manifest.ms == pytest.approx(sum(f.size for f in call.files) / 8, abs=50)


def test_no_join_is_a_pause(call: Call) -> None:
    gaps = _gaps_ms(call)
    print(
        f"{len(gaps)} joins: {min(gaps):.1f} to {max(gaps):.1f} ms beyond the declared pause, "
        f"{np.mean(gaps):.1f} on average"
    )
    assert max(gaps) <= GAP_MAX_MS
    assert min(gaps) >= -OVERLAP_MAX_MS


def test_no_pause_is_heard_within_a_value(call: Call) -> None:
    """The sounds themselves begin and end with speech: of the quiet at a join, what is more than
    the pause that was planned is shorter than many a consonant."""
    joins = list(zip(_declared_ms(call.steps), call.starts[1:], strict=True))
    if not call.files[-1].any():
        joins.pop()  # the silence at the end
    quiet = [_quiet_ms(call.heard, start) - declared for declared, start in joins]
    print(f"quiet at joins: {np.mean(quiet):.0f} ms on average, {max(quiet):.0f} at most")
    assert max(quiet) <= GAP_MAX_MS


def test_no_join_is_a_click(call: Call) -> None:
    """The steps from sample to sample at a join are no greater than those of the speech around."""
    jumps = np.abs(np.diff(call.heard))
    near, around = RATE_HZ * NEAR_MS // 1000, RATE_HZ * AROUND_MS // 1000
    for start in call.starts[1:]:
        at_join = jumps[start - near : start + near].max()
        besides = np.r_[
            jumps[max(0, start - around) : start - near], jumps[start + near :][:around]
        ]
        assert at_join <= max(FAINT, besides.max()), start


def test_the_measures_find_a_gap_and_a_click() -> None:
    """They are shown a sound with both."""
    chance = np.random.default_rng(1)
    fade = np.minimum(1, np.minimum(np.arange(4000), np.arange(4000)[::-1]) / 40)
    files = [chance.normal(0, 0.05, 4000) * fade for _ in range(3)]
    heard = np.concatenate((np.zeros(800), files[0], np.zeros(800), files[1], files[2]))
    call = Call(Manifest((), 0, str), [], files, heard, _starts(heard, files))
    assert _gaps_ms(call) == [100.0, 0.0]
    test_no_join_is_a_click(call)
    heard[call.starts[2] :][:4] += 0.9
    with pytest.raises(AssertionError):
        test_no_join_is_a_click(call)

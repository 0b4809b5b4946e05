"""A campaign's messages as sound files: real voice, real cache."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import soundfile

from duecall.core.campaign import Say, Voice
from duecall.speech.engines.espeak import EspeakEngine
from duecall.speech.faults import EngineMissing, SoundFault, TemplateFault, Unspeakable
from duecall.speech.prompts import SOUNDS_MAX, PromptBook, SoundPart, TextPart, join, parts_of
from duecall.speech.template import MessageTemplate
from duecall.speech.values import Day, Money, Name
from fs_scripts.contract import SAFE_TEXT

MESSAGES = {
    "vi": "Xin chào {{ name }}. Khoản nợ {{ balance }} đến hạn {{ due }}.",
    "ru": "Здравствуйте, {{ name }}. Сумма долга: {{ balance }}. Срок: {{ due }}.",
    "zh": "您好，{{ name }}。您的欠款是{{ balance }}，请在{{ due }}之前还款。",
    "en": "Hello {{ name }}. You owe {{ balance }}, due {{ due }}.",
}
NAMES = {"vi": "Nguyễn Văn An", "ru": "Иван Петров", "zh": "王小明", "en": "John Smith"}
CURRENCIES = {"vi": "VND", "ru": "RUB", "zh": "CNY", "en": "USD"}


def values(language, name=None):
    return {
        "name": Name(name or NAMES[language]),
        "balance": Money(1234567, CURRENCIES[language]),
        "due": Day(date(2025, 4, 19)),
    }


def text_part(source, language="vi"):
    return TextPart(MessageTemplate(source, language))


def write_tone(path, *, seconds=1.0, rate_hz=44_100, channels=2, amplitude=0.5, subtype="PCM_24"):
    at = np.arange(int(rate_hz * seconds)) / rate_hz
    mono = amplitude * np.sin(2 * np.pi * 500 * at)
    soundfile.write(path, np.column_stack([mono] * channels), rate_hz, subtype=subtype)
    return path


@pytest.mark.parametrize("language", MESSAGES)
def test_a_message_becomes_audible_files(tmp_path, language):
    book = PromptBook(tmp_path / "tts_cache", language)
    parts = (text_part(MESSAGES[language], language),)
    manifest = book.render(parts, values(language))
    assert len(manifest.paths) >= 6
    length_s = 0.0
    for path in manifest.paths:
        assert SAFE_TEXT.match(path)
        assert Path(path).is_absolute()
        samples, rate_hz = soundfile.read(path)
        assert rate_hz == 8000
        assert samples.ndim == 1
        if "/silence/" not in path:
            assert np.sqrt((samples**2).mean()) > 0.01, path
        length_s += samples.size / rate_hz
    assert manifest.ms == pytest.approx(length_s * 1000, abs=len(manifest.paths))
    assert NAMES[language] in manifest.text
    assert not any(char.isdigit() for char in manifest.text)


def test_a_second_contact_costs_its_own_values_only(tmp_path):
    book = PromptBook(tmp_path / "tts_cache", "vi")
    parts = (text_part(MESSAGES["vi"]),)
    first = book.render(parts, values("vi"))
    files = set((tmp_path / "tts_cache").glob("**/*.wav"))
    second = book.render(parts, values("vi", "Trần Thị Bình"))
    fresh = set((tmp_path / "tts_cache").glob("**/*.wav")) - files
    assert len(fresh) == 1
    assert {str(path) for path in fresh} == set(second.paths) - set(first.paths)
    assert all("/personal/" in str(path) for path in fresh)


def test_another_sum_costs_its_new_fragments_only(tmp_path):
    book = PromptBook(tmp_path / "tts_cache", "vi")
    parts = (text_part("Nợ {{ balance }}."),)
    book.render(parts, {"balance": Money(123_456_000, "VND")})
    files = set((tmp_path / "tts_cache").glob("**/*.wav"))
    manifest = book.render(parts, {"balance": Money(123_457_000, "VND")})
    fresh = set((tmp_path / "tts_cache").glob("**/*.wav")) - files
    assert len(fresh) == 1
    assert manifest.text == "Nợ một trăm hai mươi ba triệu bốn trăm năm mươi bảy nghìn đồng."


def test_no_sum_date_or_number_lies_with_the_personal_sounds(tmp_path):
    book = PromptBook(tmp_path / "tts_cache", "vi")
    source = "{{ balance }}, {{ due }}, {{ '0912345678' | phone }}, {{ 'HD-1234' | digits }}."
    manifest = book.render((text_part(source),), values("vi"))
    assert not [path for path in manifest.paths if "/personal/" in path]


def test_a_very_long_message_has_no_more_sounds_than_the_switch_plays_in_a_row(tmp_path):
    book = PromptBook(tmp_path / "tts_cache", "vi")
    source = "Nợ {{ balance }}, hạn {{ due }}, {{ name }}. " * 15
    manifest = book.render((text_part(source),), values("vi"))
    assert SOUNDS_MAX // 2 < len(manifest.paths) <= SOUNDS_MAX
    steps = book.steps((text_part(source),), values("vi"))
    assert len(steps) > SOUNDS_MAX
    assert sum("/personal/" in path for path in manifest.paths) == 15
    whole = np.concatenate(
        [soundfile.read(book.fragment(one).path, dtype="int16")[0] for one in steps]
    )
    join(manifest, tmp_path / "out.wav")
    assert np.array_equal(soundfile.read(tmp_path / "out.wav", dtype="int16")[0], whole)
    assert manifest.ms == pytest.approx(whole.size / 8, abs=len(steps))


def test_whole_sentences_are_one_sound_each_and_personal(tmp_path):
    voice = Voice(engine="espeak", whole_sentences=True)
    book = PromptBook(tmp_path / "tts_cache", "vi", voice)
    manifest = book.render((text_part("Chào {{ name }}, nợ {{ balance }}. Cảm ơn."),), values("vi"))
    assert ["/personal/" in path for path in manifest.paths] == [True, False]
    joined = PromptBook(tmp_path / "tts_cache", "vi")
    parts = (text_part("Chào {{ name }}, nợ {{ balance }}. Cảm ơn."),)
    assert joined.render(parts, values("vi")).text == manifest.text
    assert len(joined.render(parts, values("vi")).paths) > 6


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"RIFF")])
def test_a_sound_that_is_gone_or_damaged_is_made_anew_within_a_second(tmp_path, damage):
    book = PromptBook(tmp_path / "tts_cache", "vi")
    parts = (text_part("Chào."),)
    manifest = book.render(parts, {})
    assert book.render(parts, {}) == manifest
    path = Path(manifest.paths[0])
    whole = path.read_bytes()
    damage(path)
    time.sleep(1.1)
    assert book.render(parts, {}) == manifest
    assert path.read_bytes() == whole


def test_names_are_kept_apart_and_made_again_after_a_purge(tmp_path):
    book = PromptBook(tmp_path / "tts_cache", "vi")
    parts = (text_part("Chào {{ name }}."),)
    before = book.render(parts, values("vi"))
    assert ["/personal/" in path for path in before.paths] == [False, True, False]
    assert book.cache.purge_personal() == 1
    assert [Path(path).exists() for path in before.paths] == [True, False, True]
    time.sleep(1.1)  # it looks again each second
    assert book.render(parts, values("vi")) == before
    assert all(Path(path).exists() for path in before.paths)


def test_voice_settings_have_files_of_their_own(tmp_path):
    slow = PromptBook(tmp_path / "c", "vi", Voice(words_per_minute=100))
    fast = PromptBook(tmp_path / "c", "vi", Voice(words_per_minute=200))
    south = PromptBook(tmp_path / "c", "vi", Voice(engine="espeak", name="vi-vn-x-south"))
    found = [book.get("xin chào") for book in (slow, fast, south)]
    assert len({fragment.path for fragment in found}) == 3
    assert found[0].ms > found[1].ms
    assert "/espeak-vi-vn-x-south/" in found[2].path


def test_composed_and_decomposed_letters_are_one_text(tmp_path):
    book = PromptBook(tmp_path / "c", "vi")
    assert book.get("nợ") == book.get("no\u031b\u0323")


@pytest.mark.parametrize(
    "name", ["${system reboot}", "An\0|{{x}}'\";`id`", "x" * 200, "-v en", "An\n\nbgapi hupall"]
)
def test_hostile_names_are_spoken_as_words_or_not_at_all(tmp_path, name):
    book = PromptBook(tmp_path / "c", "vi")
    manifest = book.render((text_part("Chào {{ name }}."),), {"name": Name(name)})
    assert all(SAFE_TEXT.match(path) for path in manifest.paths)
    assert manifest.ms < 120_000
    assert not set(manifest.text) & set('${}|\0`\n"')
    assert len(manifest.text) < 250


def test_numbers_have_the_words_of_the_region(tmp_path):
    parts = (text_part("{{ 1105 | count }}"),)
    book = PromptBook(tmp_path / "c", "vi", region="south")
    assert book.render(parts, {}).text == book.proven(parts, {}) == "một ngàn một trăm lẻ năm"
    anywhere = PromptBook(tmp_path / "c", "vi")
    assert anywhere.render(parts, {}).paths != book.render(parts, {}).paths


def test_a_name_that_is_endless_is_refused(tmp_path):
    book = PromptBook(tmp_path / "c", "vi")
    with pytest.raises(Unspeakable, match="more than 200 characters"):
        book.render((text_part("Chào {{ name }}."),), {"name": Name("x" * 10_000)})


@pytest.mark.parametrize("name", ["🙂", "", "|||"])
def test_a_name_without_letters_is_refused(tmp_path, name):
    book = PromptBook(tmp_path / "c", "vi")
    with pytest.raises(Unspeakable, match="holds no letter"):
        book.render((text_part("Chào {{ name }}."),), {"name": Name(name)})


def test_a_missing_variable_is_refused(tmp_path):
    book = PromptBook(tmp_path / "c", "vi")
    with pytest.raises(TemplateFault, match="variable name is not defined"):
        book.render((text_part("Chào {{ name }}."),), {})


def test_espeak_missing_is_said(tmp_path):
    book = PromptBook(tmp_path / "c", "vi", engine=EspeakEngine("vi", program="no-such-program"))
    with pytest.raises(EngineMissing, match="apt-get install espeak-ng"):
        book.render((text_part("Chào."),), {})


def test_recordings_are_converted_and_mixed_with_speech(tmp_path):
    sound = write_tone(tmp_path / "jingle one.wav")
    parts = parts_of((Say(sound="jingle one.wav"), Say(text="Chào {{ name }}.")), tmp_path, "vi")
    book = PromptBook(tmp_path / "c", "vi")
    manifest = book.render(parts, values("vi"))
    assert manifest.text == "[jingle one.wav] Chào Nguyễn Văn An."
    info = soundfile.info(manifest.paths[0])
    assert (info.samplerate, info.channels, info.subtype) == (8000, 1, "PCM_16")
    assert info.frames == pytest.approx(8000, abs=100)
    # The same content under another name is the same file; other content is another.
    copy = tmp_path / "copy.wav"
    copy.write_bytes(sound.read_bytes())
    assert book.render((SoundPart(copy),), {}).paths == manifest.paths[:1]
    write_tone(copy, seconds=0.5)
    assert book.render((SoundPart(copy),), {}).paths != manifest.paths[:1]


def cut_in_half(path):
    """As a copy that broke off: its head still tells of the whole."""
    write_tone(path, seconds=2.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_wav_that_a_program_wrote_to_a_pipe_is_whole(tmp_path):
    """It could not know how long it would become."""
    path = tmp_path / "piped.wav"
    write_tone(path, seconds=1.0)
    data = path.read_bytes()
    at = data.index(b"data") + 4
    for told in (0x7FFF_F024, 0xFFFF_FFFF):
        size = told.to_bytes(4, "little")
        path.write_bytes(data[:4] + size + data[8:at] + size + data[at + 4 :])
        manifest = PromptBook(tmp_path / "c", "vi").render((SoundPart(path),), {})
        assert 900 < manifest.ms < 1100


@pytest.mark.parametrize("channel", [0, 1])
def test_a_recording_on_one_channel_is_heard(tmp_path, channel):
    samples = np.zeros((8000, 2))
    samples[:, channel] = 0.3 * np.sin(np.arange(8000))
    soundfile.write(tmp_path / "one.wav", samples, 8000)
    manifest = PromptBook(tmp_path / "c", "vi").render((SoundPart(tmp_path / "one.wav"),), {})
    heard, _ = soundfile.read(manifest.paths[0])
    assert np.sqrt((heard**2).mean()) > 0.02


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "directory"),
        (lambda path: path.write_bytes(b"MThd not a sound"), "no sound file that can be read"),
        (lambda path: path.write_bytes(b""), "no sound file that can be read"),
        (lambda path: write_tone(path, seconds=0.05), "shorter than 100 ms"),
        (lambda path: cut_in_half(path), "cut off, "),
        (lambda path: write_tone(path, amplitude=0.0), "silence only"),
        (lambda path: write_tone(path, seconds=301, rate_hz=8000, channels=1), "at most 300 s"),
    ],
)
def test_a_bad_recording_is_named_with_reason_and_remedy(tmp_path, make, reason):
    path = tmp_path / "bad.wav"
    make(path)
    with pytest.raises(SoundFault) as caught:
        PromptBook(tmp_path / "c", "vi").render((SoundPart(path),), {})
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


def test_join_is_the_whole_message(tmp_path):
    book = PromptBook(tmp_path / "c", "vi")
    manifest = book.render((text_part(MESSAGES["vi"]),), values("vi"))
    out = tmp_path / "nghe thử.wav"  # an operator's file may be called anything
    length_ms = join(manifest, out)
    whole, rate_hz = soundfile.read(out, dtype="int16")
    parts = [soundfile.read(path, dtype="int16")[0] for path in manifest.paths]
    assert rate_hz == 8000
    assert np.array_equal(whole, np.concatenate(parts))
    assert length_ms == pytest.approx(manifest.ms, abs=len(parts))

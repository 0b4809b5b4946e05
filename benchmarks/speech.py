"""How many personal messages a second can be made ready to play, and how much disk do they need?

Generates contacts (names and sums by how common they are), makes the sounds of some thousand, and
then makes messages ready with one core, as the daemon does for its hopper: values, template, words,
plan, look-ups, manifest with paths and lengths. Beside it whole messages are synthesised, resampled
and written, as one would without fragments. At last a million messages are planned, and their
distinct sounds counted and weighed.

    python benchmarks/speech.py [--campaign campaigns/overdue-vi.yaml] [--messages 1000000]
"""

from __future__ import annotations

import argparse
import bisect
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from itertools import accumulate, islice
from pathlib import Path
from typing import TypeAlias

from duecall.core.campaign import Campaign
from duecall.core.contact import Account, Contact
from duecall.core.voice import Voice
from duecall.shell.config_file import load_campaign, load_site
from duecall.shell.preparer import Preparer
from duecall.speech import audio
from duecall.speech.cache import write_wav
from duecall.speech.cache_room import KEPT_S
from duecall.speech.engines.catalogue import engine_of
from duecall.speech.planner import Utterance
from duecall.speech.prompts import PromptBook
from duecall.speech.warm import Job, warm

Person: TypeAlias = "tuple[Contact, Account]"

GOAL_PER_S = 5_000
GOAL_BYTES = 1_000_000_000
GB = 1e9
BLOCK = 4_096  # of the disk
CALLS_PER_MINUTE = 450  # at which names that must be kept are counted; as benchmarks/soak.py
TODAY = date(2026, 11, 22)
WARM = 3_000  # contacts whose sounds are made and whose messages are timed
WHOLE = 60  # messages synthesised whole


def _names(text: str) -> list[str]:
    return text.split()


# How many of a thousand bear it, roughly; given and middle names are drawn less and less often.
FAMILY = {"Nguyễn": 380, "Trần": 110, "Lê": 95, "Phạm": 70, "Hoàng": 51, "Phan": 45, "Vũ": 39,
          "Đặng": 21, "Bùi": 20, "Đỗ": 14, "Hồ": 13, "Ngô": 13, "Dương": 10, "Lý": 5}  # fmt: skip
MIDDLE = _names(
    "Văn Thị Đức Minh Thanh Ngọc Hồng Quốc Xuân Thu Hữu Đình Công Bảo Kim Anh Gia Quang Tuấn "
    "Mạnh Phương Hải Trung Hoài Khánh Mai Tiến Bích Như Thùy"
)
GIVEN = _names(
    "Anh Hùng Dũng Lan Hương Hoa Mai Bình Minh Tuấn Nam Hà Linh Thảo Trang Hải Long "
    "Phong Sơn Tâm Thủy Hạnh Phúc Đức Cường Thắng Quân Huy Khoa Khôi Nga Nhung Oanh "
    "Phượng Quỳnh Thu Trinh Tú Uyên Vân Việt Vinh Xuân Yến Ngân Ngọc Nhi Như Giang "
    "Duy Đạt Hậu Hiếu Hòa Kiên Lâm Lộc Mạnh Nghĩa Nhân Phát Phú Quang Quý Sang Tài "
    "Tân Thành Thịnh Thiện Tiến Toàn Trí Trung Trường Tùng Vũ"
)


def contacts(seed: int) -> Iterator[Person]:
    """For ever; every time the same."""
    chance = random.Random(seed)
    family, given = (
        _drawer(list(FAMILY.values())),
        _drawer([1 / (n + 3) for n in range(len(GIVEN))]),
    )
    middle = _drawer([1 / (n + 1) for n in range(len(MIDDLE))])
    families = list(FAMILY)
    number = 0
    while True:
        number += 1
        names = [families[family(chance)], MIDDLE[middle(chance)], GIVEN[given(chance)]]
        if chance.random() < 0.2:  # two middle names
            names.insert(2, MIDDLE[middle(chance)])
        major = int(10 ** chance.uniform(5, 8.3)) // 1000 * 1000
        yield (
            Contact(name=" ".join(names), phone=f"+849{number % 10**8:08}"),
            Account(
                contract_number=f"HD-{chance.randrange(10**8):08}",
                card_number=f"970436******{chance.randrange(10**4):04}",
                balance_minor=major,
                currency="VND",
                interest_rate="18.5",
                due_date=TODAY - timedelta(days=chance.randrange(1, 120)),
                fields={},
            ),
        )


def _drawer(weights: Sequence[float]) -> Callable[[random.Random], int]:
    """Draws positions, each as often as its weight says."""
    sums = list(accumulate(weights))
    return lambda chance: bisect.bisect(sums, chance.random() * sums[-1])


def make_sounds(preparer: Preparer, campaign: Campaign, people: Sequence[Person]) -> None:
    jobs: list[Job] = []
    for contact, account in people:
        book, parts, values = preparer.jobs_of(campaign, contact, account)
        jobs.append((parts, values))
    began = time.monotonic()
    report = warm(book, jobs)
    took = time.monotonic() - began
    print(
        f"{report.made:,} sounds made for {len(people):,} contacts in {took:.0f} s "
        f"({report.made / took:.0f} a second, all cores)",
        flush=True,
    )


def messages_per_s(preparer: Preparer, campaign: Campaign, people: Sequence[Person]) -> float:
    """On one core, by its processor time; the best of three."""
    for contact, account in people:  # everything is there, and known to be
        preparer.message(campaign, contact, account)
    best = 0.0
    for _ in range(3):
        sounds = 0
        began = time.process_time()
        for contact, account in people:
            manifest = preparer.message(campaign, contact, account)
            sounds += len(manifest.paths)
        best = max(best, len(people) / (time.process_time() - began))
    print(
        f"from fragments      {best:8,.0f} messages a second on one core "
        f"({1e6 / best:.0f} µs, {sounds / len(people):.0f} sounds each, "
        f"{manifest.ms / 1000:.0f} s long)",
        flush=True,
    )
    return best


def whole_per_s(
    preparer: Preparer, campaign: Campaign, people: Sequence[Person], folder: Path
) -> float:
    """Each message by one call of espeak-ng, resampled, levelled and written; processor time of
    both programs."""
    engine = engine_of(Voice(engine="espeak"), campaign.language)
    texts = [preparer.message(campaign, *person).text for person in people]
    began = _all_cpu_s()
    for number, text in enumerate(texts):
        samples, rate_hz = engine.synthesize(text)
        write_wav(folder / f"{number}.wav", audio.pcm16(audio.telephone(samples, rate_hz)))
    found = len(texts) / (_all_cpu_s() - began)
    size = sum(file.stat().st_size for file in folder.iterdir()) / len(texts)
    print(
        f"whole, by espeak-ng {found:8,.0f} messages a second on one core; "
        f"a million would be {size * 1e6 / GB:,.0f} GB",
        flush=True,
    )
    return found


def _all_cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def disk_bytes(preparer: Preparer, campaign: Campaign, messages: int) -> float:
    """Of all that these messages share, and of the names that must be there at once."""
    shared: set[Utterance] = set()
    names: set[Utterance] = set()
    at_once = 0
    window = round(KEPT_S / 60 * CALLS_PER_MINUTE)
    for number, person in enumerate(islice(contacts(2), messages), start=1):
        book, parts, values = preparer.jobs_of(campaign, *person)
        for step in book.steps(parts, values):
            if isinstance(step, Utterance):
                (names if step.personal else shared).add(step)
        if number == window:
            at_once = len(names)
        if number % 100_000 == 0:
            print(f"  {number:,} planned: {len(shared):,} sounds, {len(names):,} names", flush=True)
    at_once = at_once or len(names)
    of_shared = len(shared) * _mean_bytes(book, shared, 600)
    of_name = _mean_bytes(book, names, 300)
    needed = of_shared + at_once * of_name
    print(
        f"{messages:,} messages share {len(shared):,} sounds: {of_shared / 1e6:,.0f} MB. "
        f"{len(names):,} names: {len(names) * of_name / 1e6:,.0f} MB if all were kept; at "
        f"{CALLS_PER_MINUTE} calls a minute {at_once:,} are needed at once: "
        f"{at_once * of_name / 1e6:,.0f} MB. The disk needs {needed / 1e6:,.0f} MB"
    )
    return needed


def _mean_bytes(book: PromptBook, steps: set[Utterance], count: int) -> float:
    some = random.Random(3).sample(sorted(steps), min(count, len(steps)))
    sizes = [Path(book.fragment(step).path).stat().st_size for step in some]
    return sum(-(-size // BLOCK) * BLOCK for size in sizes) / max(1, len(sizes))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--campaign", type=Path, default=Path("campaigns/overdue-vi.yaml"))
    options.add_argument("--messages", type=int, default=1_000_000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache, whole = Path(folder, "tts_cache"), Path(folder, "whole")
        whole.mkdir()
        site = load_site(Path("config.yaml"))
        site = site.model_copy(
            update={"folders": site.folders.model_copy(update={"tts_cache": str(cache)})}
        )
        campaign = load_campaign(given.campaign, site)
        preparer = Preparer(site)
        people = list(islice(contacts(1), WARM))
        make_sounds(preparer, campaign, people)
        joined = messages_per_s(preparer, campaign, people)
        alone = whole_per_s(preparer, campaign, people[:WHOLE], whole)
        print(f"goal: at least {GOAL_PER_S:,}; {joined / alone:,.0f} times as many")
        needed = disk_bytes(preparer, campaign, given.messages)
        print(f"goal: below {GOAL_BYTES / 1e6:,.0f} MB")
    sys.exit(joined < GOAL_PER_S or needed >= GOAL_BYTES)


if __name__ == "__main__":
    main()

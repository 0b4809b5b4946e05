"""How fast is a contacts file proven before a start, on one core and on all of them?

    python benchmarks/prove.py [--rows 200000] [--campaign campaigns/overdue-vi.yaml]

The rows (names and sums by how common they are, as in benchmarks/speech.py) are read by Python's
csv alone, then read and proven in this process, then with a process for each core. Told are rows a
second by the clock and of processor time, and the ratios: what a proof costs against plain reading,
and what the other cores give. The two proofs have to find the same.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from speech import TODAY, contacts

from duecall.core.contact import dpd_on
from duecall.shell.config_file import load_campaign, load_site
from duecall.shell.proving import prove_rows
from duecall.shell.row_prover import ProofOrder, ProvenRow

COLUMNS = (
    "name",
    "contract_number",
    "card_number",
    "balance",
    "interest_rate",
    "due_date",
    "dpd",
    "phone",
)
MOBILE = (*range(32, 40), 70, *range(76, 80), *range(81, 87), 88, 90, 91, 93, 94, 96, 97, 98)


def write_rows(path: Path, count: int) -> None:
    """Days past due are those of the benchmark's day."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, (contact, account) in enumerate(islice(contacts(1), count)):
            prefix = MOBILE[number % len(MOBILE)]
            writer.writerow([
                contact.name, f"HD-{number:08}", account.card_number, account.balance_minor,
                account.interest_rate, account.due_date, dpd_on(account.due_date, TODAY),
                f"+84{prefix}{number % 10**7:07}",
            ])  # fmt: skip


def timed(do: Callable[[], list[object]]) -> tuple[list[object], float, float]:
    """What it found, seconds by the clock, and of processor time, children's too."""
    began, used = time.perf_counter(), cpu_s()
    found = do()
    return found, time.perf_counter() - began, cpu_s() - used


def cpu_s() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def read_plainly(path: Path) -> list[object]:
    with path.open(encoding="utf-8", newline="") as file:
        return [sum(1 for _ in csv.reader(file))]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument("--campaign", type=Path, default=Path("campaigns/overdue-vi.yaml"))
    given = options.parse_args()
    site = load_site(Path("config.yaml"))
    campaign = load_campaign(given.campaign, site)
    campaign = campaign.model_copy(update={"contacts_as_of": TODAY})
    order = ProofOrder(site, campaign, TODAY)
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "people.csv")
        write_rows(path, given.rows)
        _, plain_s, plain_cpu_s = timed(lambda: read_plainly(path))
        alone, alone_s, alone_cpu_s = timed(lambda: list(prove_rows(path, order, processes=0)))
        beside, beside_s, beside_cpu_s = timed(
            lambda: list(prove_rows(path, order, processes=cores))
        )
    assert alone == beside
    wrong = [one for one in alone if not isinstance(one, ProvenRow) or one.mute]
    assert not wrong, wrong[0]
    for name, by_clock_s, of_cpu_s in (
        ("plain csv", plain_s, plain_cpu_s),
        ("one process", alone_s, alone_cpu_s),
        (f"{cores} processes", beside_s, beside_cpu_s),
    ):
        print(
            f"{name:<12} {given.rows / by_clock_s:10,.0f} rows/s, "
            f"{given.rows / of_cpu_s:10,.0f} a second of processor time"
        )
    print(
        f"a proof costs {alone_cpu_s / plain_cpu_s:.0f} x plain reading; {cores} processes are "
        f"{alone_s / beside_s:.2f} x as fast as one, for {beside_cpu_s / alone_cpu_s:.2f} x the "
        "processor time"
    )


if __name__ == "__main__":
    main()

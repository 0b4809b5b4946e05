"""Contacts into the database, and what came of them."""

from __future__ import annotations

import csv
import json
import os
import re
import select
import subprocess
from datetime import date

from duecall.core.outcome import Outcome
from fs_scripts.contract import KeyPress, Result
from tests.cli.desk import HEADER, Answer, Desk, row
from tests.shell.store_world import NAME, NOON, attempt, loaded, outcome, save

MANY = 20_000  # rows; 100,000 take five times as long and show nothing more


def test_importing_twice_changes_nothing(desk: Desk) -> None:
    path = desk.campaign()
    assert "3 new, 0 changed, 0 unchanged, 0 rows refused" in desk.run("import", path).good
    again = desk.run("import", path)
    assert "0 new, 0 changed, 3 unchanged, 0 rows refused" in again.good
    assert again.err == ""  # no bar where nobody watches
    desk.campaign(csv=HEADER + row(0) + row(1, "Lê Thị Hoa") + row(2) + row(3))
    assert "1 new, 1 changed, 2 unchanged, 0 rows refused" in desk.run("import", "people.yaml").good


def test_refused_rows_are_told_and_the_rest_is_loaded(desk: Desk) -> None:
    bad = [row(n).replace("+849", "+999") for n in range(100, 160)]
    path = desk.campaign(csv=HEADER + row(1) + "".join(bad) + row(2))
    answer = desk.run("import", path)
    assert "2 new, 0 changed, 0 unchanged, 60 rows refused" in answer.good
    assert "refused: row 3: phone: " in answer.err
    assert "refused: and 10 more" in answer.err
    assert "refused" not in answer.good.replace("60 rows refused", "")


USELESS = {
    "empty": (b"", "the file is empty"),
    "utf16": ((HEADER + row(1)).encode("utf-16"), "the file is UTF-16"),
    "missing": (b"", "no such file"),
    "wrong": ((HEADER + row(1).replace("+849", "+999")).encode(), "no row of "),
}


def test_files_that_are_of_no_use(desk: Desk) -> None:
    paths = [desk.campaign(name=name, csv=content) for name, (content, _) in USELESS.items()]
    (desk.folder / "missing.csv").unlink()
    answers = desk.run_all([("import", path) for path in paths])
    for path, answer in zip(paths, answers, strict=True):
        assert answer.code == 1
        assert USELESS[path.stem][1] in answer.err
        assert (f"{path}:" in answer.err) != (path.stem == "wrong")


def test_an_encoding_that_breaks_late_loads_nothing(desk: Desk) -> None:
    """The break is behind the first block that is written (10,000 rows)."""
    rows = "".join(row(n) for n in range(10_500)).encode()
    bad = row(10_500, "Trần Thị Bích").encode("cp1258", "replace")
    path = desk.campaign(csv=HEADER.encode() + rows + bad + row(10_501).encode())
    error = desk.run("import", path).error
    assert "people.csv: line 10502, byte " in error
    assert "is not UTF-8" in error
    assert "nothing of it was loaded" in error
    assert "campaign people is not in the database" in desk.run("report", "people").error


def test_a_long_import_shows_how_far_it_is(desk: Desk) -> None:
    path = desk.campaign(csv=HEADER + "".join(row(n) for n in range(MANY)))
    size = (desk.folder / "people.csv").stat().st_size
    first = desk.run("import", path, DUECALL_PROGRESS="1")
    assert f"{MANY} new, 0 changed, 0 unchanged, 0 rows refused" in first.good
    # In a log: the last state, once.
    assert re.search(rf"people\.csv ━+ {size / 1e6:.1f}/{size / 1e6:.1f} MB", first.err)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", on_a_terminal(desk, "import", path))
    states = re.findall(r"people\.csv [━╸╺]+ ([\d.]+)/[\d.]+ MB", shown)
    assert len(set(states)) >= 4, shown
    assert states == sorted(states, key=float)


def on_a_terminal(desk: Desk, *arguments: object) -> str:
    """What stands on stderr when it is a terminal, with all its control characters."""
    ours, theirs = os.openpty()
    process = desk.start(
        *arguments,
        stderr=theirs,
        env=desk.environment(TERM="xterm", COLUMNS="80"),
    )
    os.close(theirs)
    shown = b""
    try:
        while True:
            if not select.select([ours], [], [], 120)[0]:
                raise TimeoutError(arguments)
            try:
                some = os.read(ours, 65_536)
            except OSError:  # EIO: the other end is closed
                break
            if not some:
                break
            shown += some
        out, _ = process.communicate(timeout=60)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    finally:
        os.close(ours)
    assert process.returncode == 0, (out, shown)
    return shown.decode()


def test_the_report_of_a_campaign_without_calls(desk: Desk) -> None:
    path = desk.campaign(name="quiet")
    assert desk.run("import", path).good
    out = desk.folder / "deep" / "report.csv"
    plain, by_file, script, table = desk.run_all(
        [
            ("report", "quiet"),
            ("report", path),
            ("report", "quiet", "--json"),
            ("report", "quiet", "--csv", out),
        ]
    )
    assert plain.good.splitlines() == [
        "quiet",
        "3 contacts: 0 spoken with, 0 done with, 3 open",
        "0 attempts: 0 answered (-)",
    ]
    assert by_file.good == plain.good
    told = json.loads(script.good)
    assert (told["contacts"], told["attempts"], told["by_outcome"]) == (3, 0, {})
    assert table.code == 0
    with out.open(encoding="utf-8-sig", newline="") as source:
        rows = list(csv.reader(source))
    assert len(rows) == 1
    assert {"contract", "outcome", "keys"} <= set(rows[0])


def test_a_campaign_is_known_by_the_name_in_its_file(desk: Desk) -> None:
    path = desk.campaign(name="people")
    path.write_text(path.read_text(encoding="utf-8") + "\nname: autumn\n", encoding="utf-8")
    assert desk.run("import", path).good
    by_file, by_name, by_stem = desk.run_all(
        [("report", path), ("report", "autumn"), ("report", "people")]
    )
    assert by_file.good == by_name.good
    assert "campaign people is not in the database; run: duecall import people" in by_stem.error


def test_the_report_of_real_attempts_fits_80_columns(desk: Desk) -> None:
    """Every outcome, keys, answers and promises, told in words that are not cut."""
    desk.config.write_text(desk.config.read_text() + "lender: bank\n")
    store = loaded(desk.folder / "var", 40)
    targets = store.due_targets(NAME, NOON, 40)
    kinds = list(Outcome)
    store.apply([save(target) for target in targets])
    keys = (KeyPress("1", 20, "message"), KeyPress("2", 20, "how_do_you_find_our_service"))
    for n, target in enumerate(targets):
        planned, kind = attempt(target), kinds[n % len(kinds)]
        said = None
        if kind.spoke:
            answers = {"how_do_you_find_our_service": "could-be-better"}
            said = Result(planned.id, "key", "promise", keys, answers, 500, 1000, 2500)
        day = date(2026, 12, 1) if kind is Outcome.PROMISED else None
        store.apply([outcome(planned, kind, said=said, promised_for=day)])
    store.close()
    shown, script = desk.run_all([("report", NAME), ("report", NAME, "--json")])
    lines = shown.good.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in shown.good
    told = json.loads(script.good)
    assert told["attempts"] == 40 == sum(told["by_outcome"].values())
    table = {}
    for line in lines[lines.index("") + 2 :]:
        if not line.strip():
            break
        name, count, _share = line.split(maxsplit=2)
        table[name] = int(count)
    assert table == told["by_outcome"]
    for heading in ("share of the message heard", "key ", "answer to how_do_you_find_our_service"):
        assert any(line.startswith(heading) for line in lines), heading
    # The first line that names people and the first that names calls stay whole.
    assert lines[1].startswith("40 contacts: ")
    assert lines[2].startswith("40 attempts: ")


def test_interrupting_says_so_in_one_line(desk: Desk) -> None:
    path = desk.campaign(csv=HEADER + "".join(row(n) for n in range(MANY)))
    process = desk.start("check", path, env=desk.environment(DUECALL_PROGRESS="1"))
    assert process.stderr is not None
    # Wait until it is at work: the interpreter's own start is not the command's to answer for.
    wait_for_open_file(process, str(desk.folder / "people.csv"))
    process.send_signal(2)
    out, err = process.communicate(timeout=60)
    answer = Answer(process.returncode, out, err)
    assert answer.code == 1
    assert answer.err.rstrip().endswith("Aborted!")
    assert "KeyboardInterrupt" not in answer.err


def wait_for_open_file(process: subprocess.Popen[str], path: str) -> None:
    folder = f"/proc/{process.pid}/fd"
    while process.poll() is None:
        for name in os.listdir(folder):
            try:
                if os.readlink(f"{folder}/{name}") == path:
                    return
            except OSError:
                continue
    raise AssertionError("it ended before it could be interrupted")

"""Before the first call: `check` and `listen`."""

from __future__ import annotations

import json
import re
import wave
from pathlib import Path

import numpy as np

from duecall.shell.loopback_site import REPOSITORY
from tests.cli.desk import HEADER, Desk, row

READY = sorted((REPOSITORY / "campaigns").glob("*.yaml"))


def test_every_ready_campaign_is_right(desk: Desk) -> None:
    desk.config.write_text((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    assert len(READY) >= 5
    answers = desk.run_all([("check", path) for path in READY])
    for path, answer in zip(READY, answers, strict=True):
        assert f"{path.stem}: the file is right; " in answer.good
        assert answer.good.endswith(" 0 rows are refused\n")


def test_each_fault_of_a_campaign_is_told_at_its_place(desk: Desk) -> None:
    path = desk.campaign()
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [line.replace("language: vi", "language: fr") for line in lines]
    lines = [line.replace("trunk: demo", "trunk: dmeo") for line in lines]
    path.write_text("\n".join([*lines, "rign: 30s"]), encoding="utf-8")
    answer = desk.run("check", path)
    assert (answer.code, answer.out) == (1, "")
    shape = re.compile(rf"{re.escape(str(path))}:(\d+):\d+: ([a-z_.]+): .+; allowed: .+")
    told = [shape.fullmatch(line) for line in answer.err.splitlines()]
    assert all(told), answer.err
    places = {match[2]: int(match[1]) for match in told if match}
    assert set(places) == {"language", "trunk", "rign"}
    for key, line in places.items():
        assert lines[line - 1 :][:1] == [] or lines[line - 1].startswith(key)
    assert places["rign"] == len(lines) + 1


def test_rules_that_would_refuse_every_call_are_told(desk: Desk) -> None:
    path = desk.campaign(rules={"attested": ["lender_is_caller"]})
    people, script = desk.run_all([("check", path), ("check", path, "--json")])
    assert people.code == script.code == 1
    lines = people.err.splitlines()
    assert "nobody would be called: vn.basis: not attested: pdpl_basis_recorded" in lines
    assert not any("vn.lender-calls" in line for line in lines)
    told = json.loads(script.out)
    assert (told["right"], told["faults"], told["rules"]["pack"]) == (3, [], "vn")
    assert [f"nobody would be called: {reason}" for reason in told["rules"]["refusing"]] == lines
    # Loading is not refused: the words may come later. But it is told.
    loaded = desk.run("import", path)
    assert "contacts: 3 new" in loaded.good
    assert set(lines) <= set(loaded.err.splitlines())


def test_a_pack_past_its_review_fails_the_check(desk: Desk) -> None:
    (desk.folder / "rules").mkdir()
    text = "schema: duecall-rules/1\njurisdiction: vn\nname: Old\nreview_by: 2026-01-01\n"
    (desk.folder / "rules" / "vn.yaml").write_text(text, encoding="utf-8")
    answer, doctor = desk.run_all([("check", desk.campaign(rules={})), ("doctor", "--json")])
    assert answer.code == 1 and "the file is right; 3 contacts" in answer.out
    told = "too old: the rules of vn were to be reviewed by 2026-01-01: nobody is called"
    assert told in answer.err
    (finding,) = (one for one in json.loads(doctor.out) if one["what"] == "rule packs")
    assert finding["verdict"] == "warning"
    assert "vn" in finding["detail"].split(": ")[1].split(", ")
    assert str(desk.folder / "rules") in finding["remedy"]


def test_a_fault_of_an_own_pack_is_told_in_its_file(desk: Desk) -> None:
    (desk.folder / "rules").mkdir()
    pack = desk.folder / "rules" / "vn.yaml"
    pack.write_text("schema: duecall-rules/1\njurisdiction: vn\nnames: Old\n", encoding="utf-8")
    answer = desk.run("check", desk.campaign())
    assert (answer.code, answer.out) == (1, "")
    assert f"{pack}:3:1: names: unknown key (did you mean name?)" in answer.err


def test_rows_that_are_not_right_are_named(desk: Desk) -> None:
    csv = HEADER + row(1) + row(2).replace("+849", "+999") + row(3).replace(",21,", ",20,") + row(1)
    path = desk.campaign(csv=csv)
    people, script = desk.run_all([("check", path), ("check", path, "--json")])
    assert people.code == script.code == 1
    for number, field in ((3, "phone"), (4, "dpd"), (5, "contract_number")):
        assert re.search(rf"^refused: row {number}: {field}: ", people.err, re.MULTILINE), (
            people.err
        )
    assert "1 contacts can be called, 3 rows are refused" in people.out
    told = json.loads(script.out)
    assert (told["campaign"], told["right"]) == ("people", 1)
    assert [(f["row"], f["field"]) for f in told["faults"]] == [
        (3, "phone"), (4, "dpd"), (5, "contract_number"),
    ]  # fmt: skip
    assert all(f["reason"] and f["remedy"] for f in told["faults"])


def test_a_row_that_cannot_be_spoken_is_refused_by_check(desk: Desk) -> None:
    path = desk.campaign(csv=HEADER + row(1) + row(2).replace(",1002000,", ",9" + "0" * 17 + ","))
    answer = desk.run("check", path)
    assert answer.code == 1
    assert "refused: row 3" in answer.err


def test_rows_whose_values_have_no_reading_are_refused_by_check(desk: Desk) -> None:
    header = HEADER.replace("phone", "phone,fee,branch")
    fees = ["50.000", "1.234,5", "١٢٣", "50000"]
    rows = [row(n)[:-1] + f',"{fee}",Huế\n' for n, fee in enumerate(fees)]
    rows.append(row(4, "محمد")[:-1] + ",50000,Huế\n")
    rows.append(row(5)[:-1] + ",50000,Huế 12/04/2026\n")
    message = "{{ name }}, phí {{ fee | money('VND') }}, chi nhánh {{ branch | text }}, {{ dpd }}."
    path = desk.campaign(csv=header + "".join(rows), message=message)
    answer = desk.run("check", path)
    assert answer.code == 1
    shape = r"^refused: row (\d+): (\w+): cannot be spoken: (.+)$"
    told = re.findall(shape, answer.err, re.MULTILINE)
    assert [int(number) for number, _, _ in told] == [3, 4, 6, 7], answer.err
    assert [field for _, field, _ in told] == ["fee", "fee", "name", "branch"]
    for (_, _, reason), part in zip(
        told,
        ["two readings", "digits other than 0-9", "Arabic letters", "more than one reading"],
        strict=True,
    ):
        assert part in reason
    assert "2 contacts can be called, 4 rows are refused" in answer.out
    assert "1.234,5" not in answer.err


def test_listen_writes_what_is_heard_and_says_it_in_words(desk: Desk) -> None:
    path = desk.campaign()
    out = desk.folder / "hear.wav"
    answer = desk.run("listen", path, "--contact", "HD-000002", "--out", out)
    # 1 002 000 dong, in words, not in digits.
    assert "một triệu không trăm lẻ hai nghìn đồng" in answer.good
    assert not re.search(r"\d", answer.good.splitlines()[0])
    with wave.open(str(out)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
    seconds = float(re.findall(r"([\d.]+) s: ", answer.good)[0])
    assert abs(len(samples) / 8000 - seconds) < 0.1
    assert seconds > 3
    tenths = samples[: len(samples) // 800 * 800].reshape(-1, 800)
    loud = np.sqrt((tenths**2).mean(axis=1)) > 300
    assert loud.mean() > 0.5


def test_listen_to_nobody_and_to_nowhere(desk: Desk) -> None:
    path = desk.campaign()
    nobody, nowhere = desk.run_all(
        [("listen", path, "--contact", "HD-9"), ("listen", path, "--out", "/proc/none/x.wav")]
    )
    assert "no contact with contract number HD-9 in" in nobody.error
    assert nowhere.error.startswith("/proc/none/x.wav: ")
    assert not list(desk.folder.glob("*.wav"))


def test_listen_without_a_name_writes_the_contract_here(desk: Desk) -> None:
    assert desk.run("listen", desk.campaign()).code == 0
    assert Path(desk.folder / "HD-000000.wav").stat().st_size > 10_000

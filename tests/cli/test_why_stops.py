"""`duecall why --at` of a past moment, after lists of stops were taken in and lifted again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest
from click.testing import CliRunner

from duecall.cli import cli, load_commands
from tests.cli.desk import Desk

load_commands()
PHONE, OTHER = "+84912000000", "+84987654321"  # the first of the desk's contacts, and nobody
CONTRACT = "HD-000000"


def run(desk: Desk, *arguments: object, code: int = 0) -> str:
    asked = CliRunner().invoke(cli, ["--config", str(desk.config), *map(str, arguments)])
    assert asked.exit_code == code, (arguments, asked.output, asked.exception)
    return asked.stdout if code == 0 else asked.stderr


def moment(back_s: float = 0) -> str:
    return (datetime.now(timezone.utc) - timedelta(seconds=back_s)).isoformat()


@pytest.fixture
def listed(desk: Desk) -> dict[str, Any]:
    """A list was taken in, and two of its stops lifted: moments before, between and after."""
    run(desk, "import", desk.campaign())
    path = desk.folder / "register.txt"
    path.write_text(f"{PHONE}\n{OTHER}\n" + "".join(f"+8498{n:07d}\n" for n in range(50)))
    told: dict[str, Any] = {"before": moment()}
    run(desk, "dnc", "import", path, "--source", "register", "--kind", "dnc")
    told["between"] = moment()
    for phone in (PHONE, OTHER):
        run(desk, "dnc", "lift", phone, "--source", "letter")
    told["after"] = moment()
    told["sha256"] = sha256(path.read_bytes()).hexdigest()
    return told


def test_a_contact_whose_stop_came_with_a_list_and_was_lifted(
    desk: Desk, listed: dict[str, Any]
) -> None:
    for when, stopped in (("before", False), ("between", True), ("after", False)):
        answer = json.loads(run(desk, "why", CONTRACT, "--at", listed[when], "--json"))
        [target] = answer["targets"]
        stops = target["then"]["stops"]
        assert (target["rule"] == "stop.dnc") == bool(stops) == stopped, when
        assert bool(answer["stops"]) == stopped
        text = run(desk, "why", CONTRACT, "--at", listed[when])
        assert ("stops that held then:" in text) == stopped
        if stopped:
            [stop] = stops
            assert stop["list_sha256"] == listed["sha256"]
            assert (stop["source"], stop["lifted_by"]) == ("register", "letter")
            assert listed["between"] < stop["lifted"] < listed["after"]
            assert listed["sha256"][:12] in text and "lifted" in text


def test_a_number_of_no_campaign(desk: Desk, listed: dict[str, Any]) -> None:
    answer = json.loads(run(desk, "why", OTHER, "--at", listed["between"], "--json"))
    [stop] = answer["stops"]
    assert (stop["list_sha256"], stop["lifted_by"]) == (listed["sha256"], "letter")
    assert OTHER[3:-3] not in json.dumps(answer)
    text = run(desk, "why", OTHER, "--at", listed["between"])
    assert "was on the stop list at" in text and "dnc" in text
    for arguments in (("--at", listed["before"]), ("--at", listed["after"])):
        refused = run(desk, "why", OTHER, *arguments, code=1)
        assert "nor on the stop list then" in refused
    assert "nor on the stop list;" in run(desk, "why", OTHER, code=1)


def test_without_a_campaign_in_the_database(desk: Desk) -> None:
    run(desk, "dnc", "add", OTHER)
    between = moment()
    run(desk, "dnc", "lift", OTHER)
    assert "was on the stop list at" in run(desk, "why", OTHER, "--at", between)

"""`duecall template`: the library from the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from duecall.cli import cli, load_commands
from duecall.shell import template_library as library
from duecall.shell.loopback_site import REPOSITORY
from tests.cli.desk import Desk


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """With the config.yaml that is shipped."""
    desk.config.write_text((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    return desk


def test_list_tells_all_or_some_of_them(desk: Desk) -> None:
    desk.config.unlink()  # none is needed
    everything, some, script = desk.run_all(
        [
            ("template", "list"),
            ("template", "list", "--language", "ru", "--use", "overdue"),
            ("template", "list", "--language", "zh", "--json"),
        ]
    )
    assert re.findall(r"^(\S+-(?:vi|ru|zh|en)) +\S", everything.good, re.MULTILINE) == (
        library.names()
    )
    assert re.findall(r"^(\S+)", some.good, re.MULTILINE) == ["overdue-ru"]
    told = json.loads(script.good)
    assert [one["name"] for one in told] == [n for n in library.names() if n.endswith("-zh")]
    (otp,) = (one for one in told if one["use"] == "otp")
    assert (otp["purpose"], otp["columns"]) == ("service", ["code", "valid_until"])


def test_a_new_campaign_is_right_at_once(shop: Desk) -> None:
    """All of them; in this process, as a command of its own takes a second to start."""
    load_commands()
    runner = CliRunner()
    for name in library.names():
        path = str(shop.folder / f"my-{name}.yaml")
        made = runner.invoke(cli, ["--config", str(shop.config), "template", "new", name, path])
        assert made.exit_code == 0, made.output
        checked = runner.invoke(cli, ["--config", str(shop.config), "check", path, "--json"])
        assert checked.exit_code == 0, checked.output
        told = json.loads(checked.output)
        people = len(library.parts_of(name)[0].dpd)
        assert (told["campaign"], told["right"], told["faults"]) == (f"my-{name}", people, [])
        assert told["rules"]["refusing"] == []


def test_what_comes_next_is_said(shop: Desk) -> None:
    path = shop.folder / "my.yaml"
    told = " ".join(shop.run("template", "new", "otp-vi", path).good.split())
    assert told == f"{path} and {path.with_suffix('.csv')} are written; next: duecall check {path}"
    assert "the file is right; 2 contacts" in shop.run("check", path).good


def test_what_is_shown_is_what_is_written(shop: Desk) -> None:
    path = shop.folder / "overdue-vi.yaml"
    assert shop.run("template", "new", "overdue-vi", path).good
    assert shop.run("template", "show", "overdue-vi").good == path.read_text(encoding="utf-8")
    assert path.with_suffix(".csv").read_text(encoding="utf-8").startswith("title,name,contract")


@pytest.mark.parametrize("there", ["mine.yaml", "mine.csv"])
def test_nothing_is_written_over(shop: Desk, there: str) -> None:
    (shop.folder / there).write_text("my own")
    before = set(shop.folder.iterdir())
    error = shop.run("template", "new", "paid-en", shop.folder / "mine.yaml").error
    assert re.search(rf"{there}: is there already; .*nothing was written", error)
    assert set(shop.folder.iterdir()) == before
    assert (shop.folder / there).read_text() == "my own"


def test_trunk_and_agents_are_those_of_the_site(desk: Desk) -> None:
    desk.config.write_text("trunks: {carrier-a: {proxy: 'x:5060', channels: 2}}\n".replace(
        "channels: 2", "channels: 2, calls_per_second: 1"))  # fmt: skip
    answer = desk.run("template", "new", "due-soon-en", desk.folder / "soon.yaml")
    assert "are written" in answer.good
    assert "a key of it leads to agents, and" in answer.err
    assert "\ntrunk: carrier-a\n" in Path(desk.folder / "soon.yaml").read_text(encoding="utf-8")
    text = desk.config.read_text() + "agents: {night-desk: {members: ['sip:a@127.0.0.1']}}\n"
    desk.config.write_text(text)
    assert desk.run("template", "new", "due-soon-en", desk.folder / "late.yaml").err == ""
    assert "the file is right" in desk.run("check", desk.folder / "late.yaml").good


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new", "overdu-vi", "a.yaml"), r"no template 'overdu-vi' \(did you mean overdue-vi"),
        (("show", "overdue"), "no template 'overdue'.*duecall template list"),
        (("new", "paid-en", "My file.yaml"), "a campaign's file is called by lower-case letters"),
        (("new", "paid-en", "mine"), "and .yaml behind them"),
        (("new", "paid-en", "no/folder/mine.yaml"), "No such file or directory; nothing was"),
    ],
)
def test_what_cannot_be_is_said(shop: Desk, arguments: tuple[str, ...], said: str) -> None:
    before = set(shop.folder.rglob("*"))
    assert re.search(said, shop.run("template", *arguments).error)
    assert set(shop.folder.rglob("*")) == before

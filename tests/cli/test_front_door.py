"""Help, exit codes, and what is said where the installation itself is wrong."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from duecall.cli import EXIT_CODES, cli, load_commands
from tests.cli.desk import Desk


def commands(group: click.Group, *above: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [above] if above else []
    for name, command in sorted(group.commands.items()):
        inner = isinstance(command, click.Group)
        found += commands(command, *above, name) if inner else [(*above, name)]
    return found


load_commands()
ALL = commands(cli)


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_help_has_examples_that_call_the_command(command: tuple[str, ...]) -> None:
    help_ = CliRunner().invoke(cli, [*command, "--help"], terminal_width=80)
    assert help_.exit_code == 0
    _, mark, examples = help_.output.partition("Example:")
    assert mark
    for line in examples.split("\n\n")[0].strip().splitlines():
        assert line.strip().startswith(" ".join(("duecall", *command)))
    assert max(map(len, help_.output.splitlines())) <= 80


def test_the_main_help_tells_of_every_command_and_exit_code(desk: Desk) -> None:
    main = desk.run("--help").good
    for command in ALL:
        assert re.search(rf"^  {command[0]} +\S", main, re.MULTILINE), command
    told = re.findall(r"\b(\d) ([a-z ]+)", " ".join(main.split("Exit codes:")[1].split()))
    assert {int(code): meaning.strip() for code, meaning in told[:4]} == EXIT_CODES


def test_wrong_usage_is_2_and_no_daemon_is_3(desk: Desk) -> None:
    usage, unknown, nobody, pause, start = desk.run_all(
        [
            ("status", "--nonsense"),
            ("no-such-command",),
            ("status",),
            ("pause", "people"),
            ("start", desk.campaign()),
        ]
    )
    assert (usage.code, unknown.code) == (2, 2)
    for answer in (nobody, pause, start):
        assert answer.code == 3
        assert "no daemon listens at" in answer.err
        assert "duecall run" in answer.err


def test_start_without_a_daemon_loads_nothing(desk: Desk) -> None:
    assert desk.run("start", desk.campaign()).code == 3
    assert "campaign people is not in the database" in desk.run("report", "people").error


def test_config_yaml_that_is_missing_or_faulty(desk: Desk, tmp_path: Path) -> None:
    campaign = desk.campaign()
    desk.config.write_text("trunks: {demo: {proxy: '127.0.0.1:9', channels: many}}\nlendr: x\n")
    faulty, run = desk.run_all([("check", campaign), ("run",)])
    for answer in (faulty, run):
        assert answer.code == 1
        where = re.escape(str(desk.config))
        assert re.search(rf"^{where}:1:\d+: trunks.demo.channels: .*; allowed: ", answer.err, re.M)
        assert re.search(rf"^{where}:1:\d+: trunks.demo.calls_per_second: is ", answer.err, re.M)
        assert re.search(rf"^{where}:2:1: lendr: .*did you mean lender", answer.err, re.M)
    desk.config.unlink()
    missing = desk.run("check", campaign)
    assert f"{desk.config} does not exist" in missing.error
    assert "--config" in missing.error


def test_a_database_of_another_key_and_one_that_is_none(desk: Desk) -> None:
    campaign = desk.campaign()
    assert desk.run("import", campaign).good
    key, database = desk.folder / "var" / "duecall.key", desk.folder / "var" / "duecall.db"
    text = key.read_text()
    key.chmod(0o644)
    assert f"chmod 600 {key}" in desk.run("report", "people").error
    key.unlink()
    for answer in desk.run_all([("report", "people"), ("import", campaign)]):
        assert "was sealed with another key" in answer.error
        assert "put the key file that belongs to it back" in answer.error
    key.write_text(text)
    key.chmod(0o600)
    assert "3 contacts" in desk.run("report", "people").good
    for leftover in database.parent.glob("duecall.db-*"):
        leftover.unlink()
    database.write_bytes(b"no database at all " * 500)
    error = desk.run("report", "people").error
    assert f"{database}: the database cannot be opened" in error


def test_a_path_too_long_for_a_socket_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    desk = Desk(folder)
    for answer in desk.run_all([("status",), ("import", desk.campaign()), ("run",)]):
        if "no Event Socket password" in answer.err:
            continue
        assert "set a shorter `var` under `folders`" in answer.error
        assert str(desk.config) in answer.error
    assert not (folder / "var" / "duecall.db").exists()


def test_the_daemon_needs_a_password_that_others_cannot_read(desk: Desk) -> None:
    assert "DUECALL_ESL_PASSWORD" in desk.run("run").error
    password = desk.folder / "var" / "esl.password"
    password.write_text("secret")
    password.chmod(0o644)
    error = desk.run("run").error
    assert f"chmod 600 {password}" in error
    assert "secret" not in error


def test_a_reader_that_goes_away_is_no_fault(desk: Desk) -> None:
    assert desk.run("import", desk.campaign()).good
    process = desk.start("report", "people")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(30) in (0, 1)


def test_a_campaign_that_is_not_there(desk: Desk) -> None:
    given = ("nope", "campaigns/nope.yaml")
    for name, answer in zip(given, desk.run_all([("check", name) for name in given]), strict=True):
        assert f"no campaign file {name}" in answer.error
        assert str(desk.folder / "campaigns" / "nope.yaml") in answer.error


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.25, 0.45, 0.75])
def test_ctrl_c_while_it_is_loaded_says_nothing(desk: Desk, after_s: float) -> None:
    """Not a traceback through half of Python: nothing was begun that could be told."""
    process = desk.start("report", "people")
    loaded = Path(f"/proc/{process.pid}/maps")
    while "gevent" not in loaded.read_text():  # before that Python itself is still being set up
        time.sleep(0.01)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert process.returncode in (-signal.SIGINT, 1)

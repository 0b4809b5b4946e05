"""Installing into a FreeSWITCH: what is written, what is kept, and that it then boots."""

from __future__ import annotations

import py_compile
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from duecall.core.site import Site
from duecall.shell.freeswitch_config import ConfigError, SwitchConfig, fill, render, xml_value
from duecall.shell.freeswitch_install import Action, install, write_minimal
from duecall.shell.freeswitch_layout import (
    NEEDED_MODULES,
    FreeSwitchMissing,
    find_freeswitch,
    layout_of,
    why_no_freeswitch,
)
from duecall.shell.freeswitch_process import FreeSwitchProcess, StartError
from tests.freeswitch.conftest import free_port
from tests.freeswitch.esl import Esl

FHS = ("lib/freeswitch/mod", "etc/freeswitch", "share/freeswitch/scripts")
FLAT = ("mod", "conf", "scripts")
VANILLA = "<document>what the operator had</document>"


def make_prefix(prefix: Path, folders: tuple[str, str, str]) -> Path:
    """What an installed FreeSWITCH looks like from outside."""
    modules, conf, scripts = (prefix / folder for folder in folders)
    for folder in (prefix / "bin", modules, conf, scripts):
        folder.mkdir(parents=True)
    (prefix / "bin" / "freeswitch").write_text("#!/bin/sh\n")
    (prefix / "bin" / "freeswitch").chmod(0o755)
    for name in NEEDED_MODULES:
        (modules / f"{name}.so").touch()
    (conf / "freeswitch.xml").write_text(VANILLA)
    return prefix


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The folder of config.yaml."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "carrier.password").write_text('s3cret & "quoted" <\'>\n')
    return tmp_path / "site"


@pytest.fixture
def site() -> Site:
    return Site.model_validate(
        {
            "trunks": {
                "plain": {"proxy": "192.0.2.1", "channels": 30, "calls_per_second": 10},
                "login": {
                    "proxy": "sip.example.net:5070",
                    "channels": 10,
                    "calls_per_second": 2.5,
                    "username": "lender",
                    "password_file": "carrier.password",
                },
            }
        }
    )


def contents(*folders: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.mark.parametrize("folders", [FHS, FLAT], ids=["fhs", "flat"])
def test_everything_is_put_in_its_place(
    tmp_path: Path, base: Path, site: Site, folders: tuple[str, str, str]
) -> None:
    prefix = make_prefix(tmp_path / "fs", folders)
    actions = install(prefix, site, base)
    _, conf, scripts = (prefix / folder for folder in folders)
    for xml in conf.rglob("*.xml"):
        if "before-duecall" not in str(xml):
            assert b"@" not in xml.read_bytes().replace(b"duecall@duecall", b"")
    assert (scripts / "fs_scripts" / "entry.py").is_file()
    assert (base / "var" / "hold_music.wav").stat().st_size > 100_000
    assert (base / "var" / "cdr").is_dir()
    assert (base / "var" / "recordings").is_dir()
    assert {action.action for action in actions} == {"write", "backup", "make folder"}
    assert all(path.is_absolute() for _, path, _ in actions)


def test_what_was_there_is_kept(tmp_path: Path, base: Path, site: Site) -> None:
    prefix = make_prefix(tmp_path / "fs", FHS)
    kept = [a.path for a in install(prefix, site, base) if a.action == "backup"]
    assert [path.read_text() for path in kept] == [VANILLA]


def test_doing_it_again_changes_nothing(tmp_path: Path, base: Path, site: Site) -> None:
    prefix = make_prefix(tmp_path / "fs", FHS)
    install(prefix, site, base)
    before = contents(prefix, base)
    again = install(prefix, site, base)
    assert {action.action for action in again} == {"unchanged"}
    assert contents(prefix, base) == before


def test_a_dry_run_tells_and_does_nothing(tmp_path: Path, base: Path, site: Site) -> None:
    prefix = make_prefix(tmp_path / "fs", FHS)
    before = contents(prefix, base)
    planned = install(prefix, site, base, dry_run=True)
    assert contents(prefix, base) == before
    assert not (base / "var").exists()
    done = install(prefix, site, base)

    def essence(actions: list[Action]) -> list[tuple[str, str]]:
        return [(a.action, a.path.name) for a in actions]

    assert essence(planned) == essence(done)


def test_a_change_is_written_and_the_old_file_kept(tmp_path: Path, base: Path, site: Site) -> None:
    prefix = make_prefix(tmp_path / "fs", FHS)
    install(prefix, site, base)
    sofia = prefix / FHS[1] / "duecall" / "configuration" / "sofia.conf.xml"
    old = sofia.read_bytes()
    changes = install(prefix, site, base, config=SwitchConfig(sip_port=5090))
    assert ("write", sofia) in [(a.action, a.path) for a in changes]
    backup = next(a.path for a in changes if a.action == "backup")
    assert backup.read_bytes() == old
    assert b'name="sip-port" value="5090"' in sofia.read_bytes()


def test_passwords_are_strong_kept_and_private(tmp_path: Path, base: Path, site: Site) -> None:
    prefix = make_prefix(tmp_path / "fs", FHS)
    install(prefix, site, base)
    file = base / "var" / "esl.password"
    password = file.read_text().strip()
    assert len(password) >= 43
    assert file.stat().st_mode & 0o777 == 0o600
    holding = [p for p, data in contents(prefix).items() if password.encode() in data]
    assert [p.name for p in holding] == ["duecall.xml"]
    for name in ("directory/duecall.xml", "configuration/sofia.conf.xml"):
        path = prefix / FHS[1] / "duecall" / name
        assert path.stat().st_mode & 0o007 == 0
    admin = (base / "var" / "freeswitch-admin.password").read_text().strip()
    assert admin != password
    file.chmod(0o644)
    install(prefix, site, base)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_weak_password_is_refused(tmp_path: Path, base: Path, site: Site) -> None:
    prefix = make_prefix(tmp_path / "fs", FHS)
    (base / "var").mkdir()
    (base / "var" / "esl.password").write_text("ClueCon\n")
    before = contents(prefix)
    with pytest.raises(ConfigError, match=r"esl\.password: under 16 characters; delete it"):
        install(prefix, site, base)
    assert contents(prefix) == before


def test_scripts_of_an_older_version_go_away(tmp_path: Path, base: Path, site: Site) -> None:
    prefix = make_prefix(tmp_path / "fs", FHS)
    scripts = prefix / FHS[2] / "fs_scripts"
    scripts.mkdir()
    (scripts / "gone.py").touch()
    (scripts / "entry.py").write_text("half a fil")
    actions = install(prefix, site, base)
    assert ("remove", scripts / "gone.py") in [(a.action, a.path) for a in actions]
    for script in scripts.glob("*.py"):
        py_compile.compile(str(script), doraise=True)


def test_a_fault_changes_nothing(tmp_path: Path, base: Path, site: Site) -> None:
    prefix = make_prefix(tmp_path / "fs", FHS)
    (base / "carrier.password").unlink()
    before = contents(prefix)
    with pytest.raises(ConfigError, match=r"trunk 'login': cannot read password_file"):
        install(prefix, site, base)
    assert contents(prefix) == before


# ---- what the files say


def rendered(site: Site, **changes: object) -> dict[str, str]:
    parts: dict[str, object] = {
        "esl_password": "p" * 20,
        "admin_password": "q" * 20,
        "cdr_dir": Path("/var/cdr"),
        "trunk_passwords": {"login": "a&b\"<'>"},
    }
    return render(site, SwitchConfig(**(parts | changes)))  # type: ignore[arg-type]


def params(files: dict[str, str], name: str, path: str = ".//settings/param") -> dict[str, str]:
    root = ElementTree.fromstring(f"<all>{files[f'duecall/{name}']}</all>")
    return {p.attrib["name"]: p.attrib["value"] for p in root.iterfind(path)}


def test_all_files_are_xml(site: Site) -> None:
    for name, text in rendered(site).items():
        body = text.partition("?>")[2] if text.startswith("<?xml") else text
        assert list(ElementTree.fromstring(f"<all>{body}</all>")), name


def test_trunks_become_gateways(site: Site) -> None:
    root = ElementTree.fromstring(rendered(site)["duecall/configuration/sofia.conf.xml"])
    gateways = {
        gateway.attrib["name"]: {p.attrib["name"]: p.attrib["value"] for p in gateway}
        for gateway in root.iter("gateway")
    }
    assert gateways["plain"]["register"] == "false"
    assert gateways["plain"]["proxy"] == "192.0.2.1"
    assert gateways["login"]["register"] == "true"
    assert gateways["login"]["username"] == "lender"
    assert gateways["login"]["password"] == "a&b\"<'>"


def test_limits_are_above_what_the_daemon_will_ask_for(site: Site) -> None:
    settings = params(rendered(site), "configuration/switch.conf.xml")
    assert int(settings["max-sessions"]) > 2 * 40  # each call may have an agent's leg
    assert int(settings["sessions-per-second"]) - 2 > 2 * 12.5
    assert settings["api-expansion"] == "false"
    assert settings["core-db-name"] != ":memory:"
    assert settings["loglevel"] == "warning"


def test_call_records_of_both_legs(site: Site) -> None:
    settings = params(rendered(site), "configuration/json_cdr.conf.xml")
    assert settings["log-b-leg"] == "true"
    assert settings["prefix-a-leg"] == "false"
    assert settings["log-dir"] == "/var/cdr"


def test_addresses_are_loopback_unless_told(site: Site) -> None:
    settings = params(rendered(site), "configuration/sofia.conf.xml")
    assert (settings["sip-ip"], settings["rtp-ip"]) == ("127.0.0.1", "127.0.0.1")
    assert "ext-sip-ip" not in settings
    files = rendered(site, sip_ip="198.51.100.7", external_ip="203.0.113.9")
    settings = params(files, "configuration/sofia.conf.xml")
    assert (settings["sip-ip"], settings["rtp-ip"]) == ("198.51.100.7", "198.51.100.7")
    assert (settings["ext-sip-ip"], settings["ext-rtp-ip"]) == ("203.0.113.9", "203.0.113.9")
    link = params(files, "configuration/event_socket.conf.xml")
    assert link["listen-ip"] == "127.0.0.1"


def test_a_trunk_with_a_username_needs_a_password(site: Site) -> None:
    with pytest.raises(ConfigError, match="trunk 'login' has a username but no password_file"):
        rendered(site, trunk_passwords={})


def test_no_password_is_no_configuration(site: Site) -> None:
    with pytest.raises(ConfigError, match="needs a password"):
        rendered(site, esl_password="")


@pytest.mark.parametrize("value", ["a\nb", "$${x}", "a\x00", "<!-- x", "x -->"])
def test_what_freeswitch_would_act_on_is_no_value(value: str) -> None:
    with pytest.raises(ConfigError, match="password: holds"):
        xml_value(value, "password")


def test_a_place_nothing_is_known_for_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"dialplan/x\.xml: nothing is known for @colour@"):
        fill('<a b="@colour@"/>', {}, "x.xml")


# ---- finding a FreeSWITCH


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FreeSwitchMissing, match="no such program"):
        layout_of(tmp_path)
    prefix = make_prefix(tmp_path / "fs", FLAT)
    (prefix / "mod" / "mod_python3.so").unlink()
    with pytest.raises(FreeSwitchMissing, match=r"lacks mod_python3; docs/freeswitch\.md"):
        layout_of(prefix)
    monkeypatch.setenv("FREESWITCH_PREFIX", str(prefix))
    assert find_freeswitch() is None
    assert "lacks mod_python3" in why_no_freeswitch()
    (prefix / "mod" / "mod_python3.so").touch()
    assert find_freeswitch() == prefix
    assert why_no_freeswitch() == ""
    assert layout_of(prefix / "bin" / "freeswitch").prefix == prefix


def test_a_switch_that_ends_at_once_says_so(tmp_path: Path, site: Site, base: Path) -> None:
    prefix = make_prefix(tmp_path / "fs", FLAT)
    (prefix / "bin" / "freeswitch").write_text("#!/bin/sh\necho no luck; exit 3\n")
    with pytest.raises(StartError, match=r"ended with 3(?s:.*)no luck"):
        FreeSwitchProcess(prefix, tmp_path / "run", free_port()).start()


# ---- the real one


@pytest.mark.freeswitch
def test_an_installed_switch_boots_and_serves_the_daemon(
    tmp_path: Path, site: Site, base: Path
) -> None:
    real = find_freeswitch()
    if real is None:
        pytest.skip(why_no_freeswitch())
    prefix = tmp_path / "fs"
    layout = layout_of(real)
    make_prefix(prefix, FHS)
    _replace(prefix / "bin" / "freeswitch", layout.binary)
    _replace(prefix / FHS[0], layout.modules)
    port = free_port()
    config = SwitchConfig(sip_port=free_port(), esl_port=port)
    install(prefix, site, base, config=config)
    run = tmp_path / "run"
    run.mkdir()
    (run / "conf").symlink_to(prefix / FHS[1])
    (run / "scripts").symlink_to(prefix / FHS[2])
    password = (base / "var" / "esl.password").read_text().strip()
    with (
        FreeSwitchProcess(prefix, run, port),
        Esl(port, f"userauth {site.switch.user}:{password}") as link,
    ):
        assert "login" in link.api("sofia status gateway login")
        assert link.api("module_exists mod_loopback") == "false"
        assert link.api("fsctl max_sessions") == "+OK max sessions: 130"
        assert not link.api("global_getvar script_dir").startswith("-ERR")


def _replace(link: Path, target: Path) -> None:
    if link.is_dir():
        for file in link.iterdir():
            file.unlink()
        link.rmdir()
    else:
        link.unlink()
    link.symlink_to(target)


def test_minimal_needs_nothing_but_a_folder(tmp_path: Path, site: Site) -> None:
    (tmp_path / "carrier.password").write_text("x\n")
    write_minimal(
        tmp_path / "new" / "folder", site.model_copy(update={"trunks": {}}), sip_port=5060,
        esl_port=8021, password="p" * 20, rtp_ports=(20_000, 20_100),
    )  # fmt: skip
    scripts = tmp_path / "new" / "folder" / "scripts" / "fs_scripts"
    version = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
    assert (scripts / "__pycache__" / f"call_flow.{version}.pyc").is_file()

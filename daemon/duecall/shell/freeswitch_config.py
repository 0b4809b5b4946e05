"""FreeSWITCH's configuration from `dialplan/` and `config.yaml`: text in, text out.

The templates hold words between at signs (`@sip_port@`). A value is XML-escaped, and may not hold
what FreeSWITCH's own preprocessor would act on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import fs_scripts
from duecall.core.site import Site, Trunk

FOLDER = "duecall"  # beside freeswitch.xml, in FreeSWITCH's configuration folder
ROOT = "freeswitch.xml"
_PARTS = ("configuration", "contexts", "directory")
_PLACE = re.compile(r"@([a-z_]+)@")
_NOT_IN_A_VALUE = re.compile(r"[\x00-\x1f\x7f]|\$\$\{|<!--|-->")

# An agent's leg and the callee's: two of everything. The rest is room for what is being torn down.
_LEGS_A_CALL = 2
_SPARE_SESSIONS = 50
_SPARE_PER_SECOND = 30


class ConfigError(ValueError):
    """The configuration cannot be made. The message says what, where and the remedy."""


@dataclass(frozen=True, slots=True)
class SwitchConfig:
    """What the templates ask for beside config.yaml.

    sip_ip, rtp_ip: local addresses, loopback unless told. external_ip: what the carrier sees when
    there is a NAT between, else empty. rtp_ports: first and last. cdr_dir, core_db: absolute paths.
    trunk_passwords: by the trunk's name. extra_modules, extra_interfaces: for tests.
    The passwords and cdr_dir are filled in by freeswitch_install.
    """

    esl_password: str = ""
    admin_password: str = ""
    cdr_dir: Path = Path()
    core_db: str = "core"
    sip_ip: str = "127.0.0.1"
    sip_port: int = 5060
    rtp_ip: str = ""
    external_ip: str = ""
    rtp_ports: tuple[int, int] = (16384, 32768)
    esl_host: str = ""
    esl_port: int = 0
    log_level: str = "warning"
    switch_name: str = "duecall"
    trunk_passwords: Mapping[str, str] = field(default_factory=dict)
    extra_modules: tuple[str, ...] = ()
    extra_interfaces: tuple[str, ...] = ()


def templates_folder() -> Path:
    """The checkout's `dialplan/`. Raises ConfigError where Duecall was not run from a checkout."""
    folder = Path(fs_scripts.__file__).resolve().parent.parent / "dialplan"
    if not (folder / ROOT).is_file():
        raise ConfigError(
            f"{folder / ROOT}: no such file; run Duecall from its checkout (pip install -e .), "
            "which holds the FreeSWITCH templates"
        )
    return folder


def render(site: Site, config: SwitchConfig) -> dict[str, str]:
    """Every file FreeSWITCH needs: path relative to its configuration folder -> text."""
    if not (config.esl_password and config.admin_password):
        raise ConfigError("the Event Socket needs a password")
    folder = templates_folder()
    values = _values(site, config, (folder / "gateway.xml").read_text("utf-8"))
    files = {ROOT: fill((folder / ROOT).read_text("utf-8"), values, ROOT)}
    for part in _PARTS:
        for template in sorted((folder / part).glob("*.xml")):
            name = f"{part}/{template.name}"
            files[f"{FOLDER}/{name}"] = fill(template.read_text("utf-8"), values, name)
    return files


def fill(template: str, values: Mapping[str, str], name: str) -> str:
    """Replace each `@word@`. Values are XML already. Raises ConfigError for a word without one."""

    def value(match: re.Match[str]) -> str:
        try:
            return values[match.group(1)]
        except KeyError:
            raise ConfigError(f"dialplan/{name}: nothing is known for {match.group()}") from None

    return _PLACE.sub(value, template)


def _values(site: Site, config: SwitchConfig, gateway: str) -> dict[str, str]:
    user, _, domain = site.switch.user.partition("@")
    trunks = site.trunks.values()
    channels = sum(trunk.channels for trunk in trunks)
    starts = sum(trunk.calls_per_second for trunk in trunks)
    plain = {
        "switch_name": config.switch_name,
        "max_sessions": str(_LEGS_A_CALL * channels + _SPARE_SESSIONS),
        "sessions_per_second": str(math.ceil(_LEGS_A_CALL * starts) + _SPARE_PER_SECOND),
        "log_level": config.log_level,
        "rtp_start_port": str(config.rtp_ports[0]),
        "rtp_end_port": str(config.rtp_ports[1]),
        "core_db": config.core_db,
        "esl_host": config.esl_host or site.switch.host,
        "esl_port": str(config.esl_port or site.switch.port),
        "esl_user": user,
        "esl_domain": domain,
        "esl_password": config.esl_password,
        "admin_password": config.admin_password,
        "sip_profile": site.switch.sip_profile,
        "sip_ip": config.sip_ip,
        "sip_port": str(config.sip_port),
        "rtp_ip": config.rtp_ip or config.sip_ip,
        "cdr_dir": str(config.cdr_dir),
    }
    values = {key: xml_value(value, key) for key, value in plain.items()}
    values["external_addresses"] = "".join(
        f'        <param name="{name}" value="{xml_value(config.external_ip, "external_ip")}"/>\n'
        for name in ("ext-sip-ip", "ext-rtp-ip")
        if config.external_ip
    ).rstrip("\n")
    values["extra_modules"] = "\n".join(
        f'    <load module="{xml_value(name, "extra_modules")}"/>' for name in config.extra_modules
    )
    values["extra_interfaces"] = "\n".join(
        f'    <allow name="{xml_value(name, "extra_interfaces")}"/>'
        for name in config.extra_interfaces
    )
    values["gateways"] = "".join(
        fill(gateway, _gateway(name, trunk, config.trunk_passwords), "gateway.xml")
        for name, trunk in sorted(site.trunks.items())
    ).rstrip("\n")
    return values


def _gateway(name: str, trunk: Trunk, passwords: Mapping[str, str]) -> dict[str, str]:
    """Without a username the carrier knows us by our address: nothing to register."""
    if trunk.username and name not in passwords:
        raise ConfigError(
            f"config.yaml: trunk {name!r} has a username but no password_file; add one"
        )
    raw = {
        "name": name,
        "username": trunk.username or "duecall",
        "password": passwords.get(name, "none"),
        "proxy": trunk.proxy,
        "register": "true" if trunk.username else "false",
    }
    return {key: xml_value(value, f"trunk {name} {key}") for key, value in raw.items()}


def xml_value(value: str, what: str) -> str:
    """Escaped for an attribute. Raises ConfigError for what FreeSWITCH would not take as text."""
    if _NOT_IN_A_VALUE.search(value):
        raise ConfigError(
            f"{what}: holds a control character, '$${{' or an XML comment mark; choose another"
        )
    return escape(value, {'"': "&quot;", "'": "&apos;"})

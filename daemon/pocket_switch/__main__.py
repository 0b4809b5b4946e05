"""`python -m pocket_switch`: starts the switch and runs it until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import logging
import os
import signal
import sys
import uuid

from pocket_switch import BANNER
from pocket_switch.options import CALLS_PER_WORKER, PASSWORD_VARIABLE, WORKERS_MAX, Options

_SETTINGS: tuple[tuple[str, type, object, str], ...] = (
    ("--host", str, "127.0.0.1", "address to bind, for all ports"),
    ("--esl-port", int, 8021, "Event Socket, TCP"),
    ("--sip-port-base", int, 5070, "SIP, UDP; one a worker from here on"),
    ("--rtp-port-base", int, 17_000, "RTP, UDP; 40 a worker from here on"),
    ("--password-file", str, None, f"its first line is the password (or env {PASSWORD_VARIABLE})"),
    ("--user", str, "duecall@duecall", "who may log in by userauth"),
    ("--scripts", str, ".", "folder that holds the call scripts, e.g. fs_scripts/"),
    ("--cdr", str, "cdr", "folder for <uuid>.cdr.json"),
    ("--recordings", str, "", "folder made at the start; the call's own line names the file"),
    ("--calls-per-second", int, 30, "more are refused"),
    ("--max-sessions", int, 1_000, "legs at once, null lines included; more are refused"),
    (
        "--workers",
        int,
        None,
        "SIP processes at most, started as needed (default: enough for "
        f"--max-sessions, at most {WORKERS_MAX}); 0: null lines only",
    ),
    ("--hold-music", str, "", "WAV for local_stream:// (else a short tune)"),
    ("--null-speed", float, 1.0, "how much faster than real time null lines play"),
)


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    print(BANNER, file=sys.stderr, flush=True)
    password = _password(given.password_file)
    if not password:
        parser.error(
            f"no password: give --password-file FILE or set {PASSWORD_VARIABLE}; the daemon needs "
            "the same one (config.yaml, switch)"
        )
    if given.workers is None:
        given.workers = min(WORKERS_MAX, -(-given.max_sessions // CALLS_PER_WORKER))
    if given.workers and not _has_pjsip():
        parser.error(_no_pjsip())
    options = _options(given)
    logging.basicConfig(
        level=options.log,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s switch %(name)s: %(message)s",
    )
    try:
        for folder in filter(None, (options.cdr, given.recordings)):
            os.makedirs(folder, exist_ok=True)
        asyncio.run(_serve(options, password))
    except (OSError, RuntimeError) as error:
        print(f"pocket_switch: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(options: Options, password: str) -> None:
    from pocket_switch.broker import serve

    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, until.set)
    await serve(options, password, until)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pocket_switch",
        description=BANNER,
        epilog="A worker process holds 4 call legs; a transferred call needs two. null/NUMBER "
        "lines answer at once and have no sound; they need no worker and no pjsua2.",
    )
    for name, kind, default, text in _SETTINGS:
        words = text + (" (default: %(default)s)" if default not in (None, "") else "")
        parser.add_argument(name, type=kind, default=default, help=words)
    parser.add_argument(
        "--gateway",
        action="append",
        default=[],
        metavar="NAME=HOST:PORT",
        help="a trunk; may be repeated",
    )
    parser.add_argument("--log", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return parser


def _options(given: argparse.Namespace) -> Options:
    gateways = {}
    for text in given.gateway:
        name, equals, address = text.partition("=")
        if not equals or not name or not address:
            raise SystemExit(f"--gateway {text}: write it as NAME=HOST:PORT")
        gateways[name] = address
    if given.null_speed <= 0:
        raise SystemExit("--null-speed must be above 0")
    return Options(
        host=given.host,
        esl_port=given.esl_port,
        sip_port_base=given.sip_port_base,
        rtp_port_base=given.rtp_port_base,
        user=given.user,
        scripts=os.path.abspath(given.scripts),
        cdr=os.path.abspath(given.cdr),
        gateways=gateways,
        calls_per_second=given.calls_per_second,
        max_sessions=given.max_sessions,
        workers=given.workers,
        hold_music=os.path.abspath(given.hold_music) if given.hold_music else "",
        null_speed=given.null_speed,
        log=given.log,
        core_uuid=str(uuid.uuid4()),
    )


def _password(path: str | None) -> str:
    if not path:
        return os.environ.get(PASSWORD_VARIABLE, "")
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError as error:
        raise SystemExit(f"--password-file {path}: {error.strerror}") from None


def _has_pjsip() -> bool:
    return importlib.util.find_spec("pjsua2") is not None


def _no_pjsip() -> str:
    """Why there is no SIP, and what to do."""
    version = ".".join(str(part) for part in sys.version_info[:2])
    if sys.version_info >= (3, 13):
        return (
            f"SIP needs the package pjsua2-python, which has no build for Python {version}: run "
            "the pocket switch with python3.10, 3.11 or 3.12, or use FreeSWITCH "
            "(docs/freeswitch.md). --workers 0 starts it with null lines only"
        )
    return (
        "SIP needs the package pjsua2-python: pip install 'duecall[pocket]' (Python 3.10 to 3.12), "
        "or use FreeSWITCH (docs/freeswitch.md). --workers 0 starts it with null lines only"
    )


if __name__ == "__main__":
    sys.exit(main())

"""The applications a leg can run: those Duecall uses, under FreeSWITCH's names."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from pocket_switch import causes
from pocket_switch.channel import Channel
from pocket_switch.dial_string import inline_apps
from pocket_switch.recording import Recorder
from pocket_switch.sounds import SoundError, open_sound

log = logging.getLogger("pocket.apps")
App = Callable[[Channel, str], None]
PLAYED, MISSING, CUT = "played", "missing", "cut"  # CUT: playback_timeout_sec was over


def execute(channel: Channel, name: str, argument: str) -> None:
    """Runs it to its end. After a hang-up nothing runs any more; an unknown one ends the call."""
    if not channel.ready:
        return
    app = _APPS.get(name)
    if app is None:
        log.error("application %s is not there in the pocket switch; the call ends", name)
        channel.hang_up("DESTINATION_OUT_OF_ORDER")
        return
    channel.app_log.append((name, argument, time.time_ns() // 1_000))
    channel.set_variable("current_application_data", argument)
    channel.set_variable("current_application", name)
    app(channel, argument)


def play(
    channel: Channel, path: str, stop: Callable[[], bool] = lambda: False, loop: bool = False
) -> str:
    """Plays until the end, `stop()`, or the leg is wanted elsewhere; no longer than the variable
    `playback_timeout_sec` allows. PLAYED, MISSING or CUT."""
    try:
        sound = open_sound(path, channel.switch.options.hold_music)
    except (SoundError, ValueError) as error:
        log.error("cannot play on %s: %s", channel.uuid, error)
        return MISSING
    for missing in sound.skipped:
        log.error("no sound file %s on %s; the rest is played", missing, channel.uuid)
    sound.loop = sound.loop or loop
    media = channel.line.media
    limit = channel.variables.get("playback_timeout_sec", "")
    media.play(sound)
    over = channel.wait(
        float(limit) if limit.isdigit() else None, lambda: not media.playing or stop()
    )
    media.stop()
    channel.set_variable("playback_last_offset_pos", str(sound.position // 2))
    channel.set_variable("playback_seconds", str(sound.played_ms // 1_000))
    channel.set_variable("playback_ms", str(sound.played_ms))
    channel.set_variable("playback_samples", str(sound.position // 2))
    return PLAYED if over or not channel.ready else CUT


def _playback(channel: Channel, argument: str, loop: bool = False) -> None:
    """A key of `playback_terminators` (default `*`) stops it; other keys are lost, as there."""
    terminators = channel.variables.get("playback_terminators", "*")
    used: list[str] = []

    def stop() -> bool:
        while channel.digits and not used:
            digit = channel.digits.popleft()
            if terminators != "none" and (terminators == "any" or digit in terminators):
                used.append(digit)
        return bool(used)

    played = play(channel, argument, stop, loop)
    if used:
        channel.set_variable("playback_terminator_used", used[0])
    response = "FILE NOT FOUND" if played == MISSING else "FILE PLAYED"
    if played != MISSING and not channel.ready:
        response = "PLAYBACK ERROR"
    channel.set_variable("current_application_response", response)


def _endless_playback(channel: Channel, argument: str) -> None:
    _playback(channel, argument, loop=True)


def _record_session(channel: Channel, argument: str) -> None:
    path = argument.partition(" ")[0]

    def told(variable: str, otherwise: str = "") -> bool:
        return channel.variables.get(variable, otherwise).lower() in ("true", "yes", "1", "on")

    try:
        recorder = Recorder(
            path,
            told("RECORD_STEREO"),
            callee_only=told("RECORD_READ_ONLY"),
            at_once=not told("enable_file_write_buffering", "true"),
        )
    except OSError as error:
        log.error("cannot record %s: %s; is the folder there and writable?", channel.uuid, error)
        return
    channel.recorders[path] = recorder
    if not channel.line.media.record(recorder):
        log.warning("a null line has no sound: the recording of %s stays empty", channel.uuid)


def _stop_record_session(channel: Channel, argument: str) -> None:
    for path in [argument] if argument and argument != "all" else list(channel.recorders):
        channel.stop_recording(path)


def _python(channel: Channel, argument: str) -> None:
    from pocket_switch import script_runner  # the scripts' world is loaded by the first script

    script_runner.run(channel, argument, channel.switch.options.scripts)


def _park(channel: Channel, argument: str) -> None:
    """Waits for a command. A broadcast sound is played meanwhile; the time-out is looked at only
    between such sounds, as in FreeSWITCH."""
    seconds, _, cause = channel.variables.get("park_timeout", "").partition(":")
    channel.set_variable("park_timeout", None)
    limit_s = float(seconds) / channel.line.speed if seconds.isdigit() else None
    ends_at = None if limit_s is None else time.monotonic() + limit_s
    channel.publish("CHANNEL_PARK")
    while channel.ready:
        left_s = None if ends_at is None else (ends_at - time.monotonic()) * channel.line.speed
        if left_s is not None and left_s <= 0:
            channel.hang_up(causes.normalise(cause))
            break
        if channel.wait(left_s, lambda: bool(channel.broadcasts)) and channel.ready:
            name, data = channel.broadcasts.popleft()
            execute(channel, name, data)
    channel.publish("CHANNEL_UNPARK")


def _intercept(channel: Channel, argument: str) -> None:
    """Joins this leg with the leg `argument`; the bridge itself runs when the app has returned."""
    channel.switch.ask_bridge(channel.uuid, argument.split(" ")[-1])
    channel.wait(None, lambda: channel.bridge is not None or channel.refused)


def _hangup(channel: Channel, argument: str) -> None:
    channel.hang_up(causes.normalise(argument))


def _sleep(channel: Channel, argument: str) -> None:
    channel.wait(float(argument or 0) / 1_000, lambda: False)


def _set(channel: Channel, argument: str) -> None:
    name, _, value = argument.partition("=")
    channel.set_variable(name, None if value == "_undef_" else value)


def _unset(channel: Channel, argument: str) -> None:
    channel.set_variable(argument, None)


def _nothing(channel: Channel, argument: str) -> None:
    """answer and pre_answer on a leg that we called: the far end has answered already."""


def broadcast_app(path: str) -> tuple[str, str]:
    """What uuid_broadcast runs: a sound, or `app::argument` (or `app!cause::argument`)."""
    name, mark, argument = path.partition("::")
    if mark:
        return name.partition("!")[0], argument
    return "playback", path


def transfer_apps(text: str) -> list[tuple[str, str]]:
    return inline_apps(text)


_APPS: dict[str, App] = {
    "answer": _nothing,
    "pre_answer": _nothing,
    "playback": _playback,
    "endless_playback": _endless_playback,
    "record_session": _record_session,
    "stop_record_session": _stop_record_session,
    "python": _python,
    "park": _park,
    "intercept": _intercept,
    "hangup": _hangup,
    "sleep": _sleep,
    "set": _set,
    "unset": _unset,
}

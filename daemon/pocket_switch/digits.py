"""Hearing keys: FreeSWITCH's rules for read, playAndGetDigits and getDigits.

(switch_ivr_play_say.c and switch_ivr.c, the behaviour; '' for a time-out, a failure and a hang-up
alike.) Keys pressed before the call wait in the leg's queue and answer at once: flush where that
matters.
"""

from __future__ import annotations

import re
import time

from pocket_switch.applications import PLAYED, play
from pocket_switch.channel import Channel

SUCCESS, TIMEOUT, FAILURE, TOO_SHORT = "success", "timeout", "failure", "too_short"


def play_and_get(
    channel: Channel,
    least: int,
    most: int,
    tries: int,
    timeout_ms: int,
    terminators: str,
    prompt: str,
    bad_prompt: str,
    regex: str,
    variable: str,
    digit_timeout_ms: int,
) -> str:
    """The digits that match `regex` (all, where it is empty), or ''."""
    while channel.ready and tries > 0:
        status, digits = read(
            channel, least, most, prompt, variable, timeout_ms, terminators, digit_timeout_ms
        )
        if status == TIMEOUT and len(digits) >= least:
            status = SUCCESS
        if least == 0 and not digits and channel.variables.get("read_terminator_used"):
            return ""
        if status == SUCCESS and digits:
            if not regex or re.search(regex, digits):
                return digits
            if variable:
                channel.set_variable(variable, None)
                channel.set_variable(variable + "_invalid", digits)
        if not channel.ready:
            break
        if bad_prompt:
            play(channel, bad_prompt)
        tries -= 1
    return ""


def read(
    channel: Channel,
    least: int,
    most: int,
    prompt: str,
    variable: str,
    timeout_ms: int,
    terminators: str,
    digit_timeout_ms: int,
) -> tuple[str, str]:
    """(status, digits). A key stops the prompt and is the first digit."""
    most = max(least, most)
    digit_timeout_ms = digit_timeout_ms or timeout_ms
    channel.set_variable("read_result", None)
    channel.set_variable("read_terminator_used", None)
    if variable:
        channel.set_variable(variable, None)
    digits, terminator, status = "", "", SUCCESS
    if prompt and prompt.lower() != "silence":
        if play(channel, prompt, lambda: bool(channel.digits)) != PLAYED:
            return FAILURE, ""  # and no read_result: there was nothing to listen after
        while channel.digits and channel.ready and len(digits) < most:
            digits += channel.digits.popleft()
        if not channel.ready:
            channel.set_variable("read_result", FAILURE)
            return FAILURE, digits
    if len(digits) < most:
        first_ms = digit_timeout_ms if digits else timeout_ms
        status, digits, terminator = collect(
            channel, digits, most, terminators, first_ms, digit_timeout_ms, 0
        )
    if terminator:
        channel.set_variable("read_terminator_used", terminator)
    if least and len(digits) < least:
        status = TOO_SHORT
    channel.set_variable("read_result", status if status in (SUCCESS, TIMEOUT) else FAILURE)
    if most == 1 and len(digits) == 1 and digits in terminators:
        digits = ""
    if variable and digits:
        channel.set_variable(variable, digits)
    return status, digits


def collect(
    channel: Channel,
    digits: str,
    most: int,
    terminators: str,
    first_ms: int,
    next_ms: int,
    all_ms: int,
) -> tuple[str, str, str]:
    """(status, digits, terminator). 0 ms: wait without end."""
    for place, digit in enumerate(digits):
        if digit in terminators:
            return SUCCESS, digits[:place], digit
    began = time.monotonic()
    wait_ms = first_ms or next_ms
    while channel.ready and len(digits) < most:
        limits_s = [wait_ms / 1_000] if wait_ms else []
        if all_ms:
            gone_s = (time.monotonic() - began) * channel.line.speed
            limits_s.append(all_ms / 1_000 - gone_s)
        limit_s = max(0.0, min(limits_s)) if limits_s else None
        if not channel.wait(limit_s, lambda: bool(channel.digits)):
            return (TIMEOUT if channel.ready else FAILURE), digits, ""
        digit = channel.digits.popleft()
        if digit in terminators:
            return SUCCESS, digits, digit
        digits += digit
        wait_ms = next_ms or wait_ms
    return (SUCCESS if channel.ready else FAILURE), digits, ""

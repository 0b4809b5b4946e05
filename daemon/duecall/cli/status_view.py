"""`status` as tables that fit 80 columns; colours only repeat what the words say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from duecall.shell.daemon_start import WAITING

ALARMS_SHOWN = 5
COLUMNS = ("contacts", "next up", "waiting", "calling", "done", "attempts")
KEYS = ("contacts", "ready", "waiting", "calling", "done", "attempts")


def status_view(status: dict[str, Any]) -> RenderableType:
    """status: the daemon's answer to {"do": "status"} (shell/operator.py, daemon_start.py)."""
    if status["state"] == WAITING:
        return Group(_waiting(status), *_alarms(status))
    parts: list[RenderableType] = [_headline(status), Text(), _campaigns(status)]
    for campaign in status["campaigns"]:
        if campaign["trouble"]:
            why = f"{campaign['name']}: nobody is called: {campaign['trouble']}"
            parts.append(Text(why, style="red"))
        if campaign["next_due"]:
            parts.append(Text(f"{campaign['name']}: next due {_local(campaign['next_due'])}"))
    parts.extend(_counts("outcomes since the daemon started", status["outcomes"]))
    for campaign in status["campaigns"]:
        parts.extend(_counts(f"{campaign['name']}: held back", campaign["held_back"]))
    return Group(*parts, *_alarms(status))


def _waiting(status: dict[str, Any]) -> Text:
    text = Text(f"{WAITING}; nobody is called", style="red")
    text.append(f"\n  since {_local(status['since'])}: {status['database']}")
    if status["draining"]:
        text.append("\nstopping", style="yellow")
    return text


def _alarms(status: dict[str, Any]) -> Iterator[RenderableType]:
    if status["alarms"]:
        yield Text()
    for alarm in status["alarms"][-ALARMS_SHOWN:]:
        fields = " ".join(f"{k}={v}" for k, v in alarm.items() if k not in ("at", "what"))
        yield Text(f"ALARM {_local(alarm['at'])}: {alarm['what']} {fields}", style="red")


def _headline(status: dict[str, Any]) -> Text:
    switch = status["switch"]
    up = switch.startswith("connected")
    text = Text()
    text.append("switch: ")
    text.append(switch, style="green" if up else "red")
    links = f"; {len(status['links'])} links" if up else ""
    text.append(f"\n  since {_local(status['switch_since'])}{links}")
    text.append(f"\nlive calls: {sum(status['live'].values())}")
    if status["live"]:
        stages = ", ".join(f"{count} {stage}" for stage, count in status["live"].items())
        text.append(f" ({stages})")
    text.append(f"; sent {status['sent']}, settled {status['settled']}")
    if status["draining"]:
        text.append("; stopping, no new calls", style="yellow")
    if status["earlier"]:
        text.append(f"\n  {status['earlier']} of an earlier daemon, being asked after")
    if status["given_up"]:
        text.append(f"\n  {status['given_up']} given up, kept until their phones cannot ring")
    if status["database"]:
        text.append(f"\ndatabase: {status['database']}", style="red")
        text.append(f"\n  {status['database_waiting']} changes wait for it", style="red")
    return text


def _campaigns(status: dict[str, Any]) -> RenderableType:
    if not status["campaigns"]:
        return Text("no campaign is started; begin with: duecall start campaigns/NAME.yaml")
    table = Table(box=None, pad_edge=False)
    table.add_column("campaign", overflow="fold")
    table.add_column("state", no_wrap=True)
    for title in COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for campaign in status["campaigns"]:
        numbers = (str(campaign[key]) for key in KEYS)
        table.add_row(escape(campaign["name"]), campaign["state"], *numbers)
    return table


def _counts(title: str, counts: dict[str, int]) -> Iterator[RenderableType]:
    """A heading, and below it how often what happened, the most frequent first."""
    if not counts:
        return
    yield Text(f"\n{title}")
    table = Table(box=None, pad_edge=True, show_header=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        table.add_row(str(count), escape(name))
    yield table


def _local(moment: str) -> str:
    """A moment by the clock on the operator's wall, with its zone."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M:%S %Z}"

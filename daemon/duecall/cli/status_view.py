"""`status` as tables that fit a terminal; colours only repeat what the words say."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def status_view(status: dict[str, Any]) -> RenderableType:
    """status: the daemon's answer to {"do": "status"} (shell/operator.py)."""
    parts: list[RenderableType] = [_headline(status), _campaigns(status)]
    if status["outcomes"]:
        parts.append(_counts("outcomes since the daemon started", status["outcomes"]))
    for campaign in status["campaigns"]:
        if campaign["held_back"]:
            parts.append(_counts(f"{campaign['name']}: held back", campaign["held_back"]))
    for alarm in status["alarms"][-5:]:
        fields = " ".join(f"{k}={v}" for k, v in alarm.items() if k not in ("at", "what"))
        parts.append(Text(f"ALARM {alarm['at'][:19]} {alarm['what']} {fields}", style="red"))
    return Group(*parts)


def _headline(status: dict[str, Any]) -> Text:
    switch = status["switch"]
    text = Text()
    text.append("switch: ")
    text.append(switch, style="green" if switch.startswith("connected") else "red")
    text.append(f" · live calls: {sum(status['live'].values())}")
    for stage, count in status["live"].items():
        text.append(f" {stage} {count}")
    text.append(f" · sent {status['sent']} · settled {status['settled']}")
    if status["draining"]:
        text.append(" · stopping, no new calls", style="yellow")
    if status["database"]:
        text.append(f"\ndatabase: {status['database']}", style="red")
    return text


def _campaigns(status: dict[str, Any]) -> RenderableType:
    if not status["campaigns"]:
        return Text("no campaign is started; begin with: duecall start campaigns/NAME.yaml")
    table = Table(box=None, pad_edge=False)
    table.add_column("campaign")
    table.add_column("state")
    for title in ("contacts", "waiting", "next up", "calling", "done", "attempts"):
        table.add_column(title, justify="right")
    table.add_column("next due")
    for campaign in status["campaigns"]:
        table.add_row(
            campaign["name"],
            campaign["state"],
            *(str(campaign[key]) for key in ("contacts", "waiting", "ready", "calling", "done")),
            str(campaign["attempts"]),
            (campaign["next_due"] or "")[:16].replace("T", " "),
        )
    return table


def _counts(title: str, counts: dict[str, int]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    for name, count in sorted(counts.items(), key=lambda item: -item[1]):
        table.add_row(str(count), name)
    return table

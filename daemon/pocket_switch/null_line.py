"""A line without a phone: answers at once, hears nothing, never hangs up. For load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocket_switch.media import NullMedia

if TYPE_CHECKING:
    from pocket_switch.channel import Channel


class NullLine:
    """Sounds and waits take their real time, divided by `speed`."""

    def __init__(self, channel: Channel, speed: float) -> None:
        self.speed = speed
        self.media = NullMedia(speed)
        self._channel = channel

    def dial(self) -> None:
        self._channel.answered()

    def hang_up(self, cause: str) -> None:
        return None

    def our_end(self, answered: bool) -> dict[str, str]:
        return {}

"""What can go wrong on a link to a switch, told apart by what the caller must do about it."""

from __future__ import annotations


class LinkError(Exception):
    """Anything that goes wrong between us and the switch."""


class SwitchNotThere(LinkError):
    """Nobody listens at that address, or it is no Event Socket, or it does not let us in."""


class WrongPassword(LinkError):
    """The switch does not take our user and password."""


class NotReady(LinkError):
    """The command was not sent: there is no link (any more), or no way through to it in time."""


class LinkLost(LinkError):
    """The link went while the reply was awaited. The command may have been carried out."""


class CommandTimeout(LinkError):
    """No reply in time. The command may have been, or may still be, carried out."""


class CommandRefused(LinkError):
    """The switch does not allow this user that command."""


class UnsafeLine(ValueError):
    """A command that is not one line of printable ASCII: it could hold a second command."""

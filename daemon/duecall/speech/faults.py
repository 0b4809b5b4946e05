"""What can go wrong between a template and a sound file. Texts never hold a contact's data."""

from __future__ import annotations


class SpeechError(Exception):
    """Base of all errors of this package. The text says what, where and the remedy.

    variable: of a template, whose value it is about; several are parted by commas; empty: unknown.
    """

    variable = ""


class Unspeakable(SpeechError, ValueError):
    """A value that is none of its type, or that has no words in the language. One row's fault."""


class TemplateFault(SpeechError, ValueError):
    """A fault in a message template. line and column count from 1 within the template's text."""

    def __init__(self, message: str, line: int = 1, column: int = 1, variable: str = "") -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.variable = variable
        self.message = message
        self.line = line
        self.column = column


class EngineError(SpeechError):
    """The engine refused or died at one text."""


class EngineMissing(EngineError):
    """The engine cannot work at all: not installed, or no such voice. Nothing can be rendered."""


class RecordingFault(EngineError):
    """A voice of recordings has none of one text, or one that cannot be played. Others are fine:
    the next voice speaks this message, and the engine is not given up."""


class SoundFault(SpeechError, ValueError):
    """A recorded sound file that cannot be played: unreadable, silent, too short or too long."""


class CacheError(SpeechError, OSError):
    """The cache directory cannot be used: its path, its permissions or its disk."""

"""Decides. No I/O, no clock, no randomness of its own: every event carries its time."""

"""Pretends: twins of shell/ by the same file names, in virtual time."""

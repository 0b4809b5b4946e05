"""Typed values to words (pure), and words to sound (engines and cache, in files of their own)."""

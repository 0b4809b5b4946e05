"""Words -> values: the readers' reverse, written apart from them and strict, for proof.py.

Shares no code and no table with the readers (words_*.py, numerals_ru.py, spelling.py); a test
keeps it so.
"""

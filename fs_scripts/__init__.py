"""The dialogue, run inside FreeSWITCH's mod_python3, and the contract the daemon shares with it.

Standard library only. `contract` is the one module that both sides import, by this dotted name.
"""

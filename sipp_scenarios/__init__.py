"""A telephone network in a box: callees of every kind (SIPp), and an exchange that leads to them.

`numbers.csv` says which number meets whom. `python -m sipp_scenarios` starts it all by hand,
`sipp_scenarios.field.Field` from a program. Needs the Debian package sip-tester. Loopback only.
"""

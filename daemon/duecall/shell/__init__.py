"""Touches: gevent, greenswitch, peewee and yaml live only here."""

"""A real campaign over a real switch to real callees, while everything is killed at random.

`python -m tests.chaos` is the long form (`make chaos`), `test_chaos.py` the short one. What the
carrier and the callees received is the truth; what the database says is judged by it.
"""

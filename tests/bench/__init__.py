"""Rates, times and memory beside a peer's, both measured in the same run.

    python -m tests.bench              # every row
    python -m tests.bench lua static   # rows whose name contains one of the words

A server is pinned to the first core, the load to the second; builds and what peers load into their
stores may use both. Nothing here asserts a time: the numbers are printed with their ratio, and
whoever reads them decides.
"""

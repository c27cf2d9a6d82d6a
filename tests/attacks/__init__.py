"""Attacks on a server of our own on the loopback, beside what its other clients notice of them.

``python -m tests.attacks all --full`` prints figures, beside NSD; the short form of each runs in
the unit tests and looks at nothing that depends on how fast the machine is. Every attack is bounded
in count and time, and reaches nothing but the servers it has started.
"""

"""Real servers and tools that tests talk to: each server has a module of its own that starts and
stops it. ``from tests.peers._peers import require``, and name what the test needs."""

from tests.peers._peers.presence import find, require

__all__ = ["find", "require"]

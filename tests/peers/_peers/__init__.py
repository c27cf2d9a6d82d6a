"""Real servers and tools that tests talk to: ``from tests.peers._peers import require`` names what a test
needs; each server has a module of its own that starts and stops it."""

from tests.peers._peers.presence import find, require

__all__ = ["find", "require"]

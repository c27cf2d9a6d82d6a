"""What tests of short forms share: they have the same peers, to be waited for and to be named."""

from __future__ import annotations

from tests.peers.conftest import pytest_runtest_protocol, pytest_terminal_summary

__all__ = ["pytest_runtest_protocol", "pytest_terminal_summary"]

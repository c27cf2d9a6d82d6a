"""Tests against real servers and tools."""

"""Lua at work: states closed to the host, their limits, and the API of LUA records."""

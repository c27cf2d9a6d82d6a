"""Lua code that survives zone transfers: rewritten, in strings of at most 255 octets."""

"""Lua code as text, tokens and a tree: what stands in it, found without running it."""

"""LUA records: their code as text, as plans and at work."""

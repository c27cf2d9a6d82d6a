"""LUA records of common forms, recognised from their code and turned into plans."""

"""LUA records, as code (lexer, splitter) and as programs (sandbox, API)."""

"""The linter for LUA records: rules over the syntax tree that tell what would fail, or differ on a
secondary, before a query does."""

"""The model of a zone: records, LUA records, serial arithmetic."""

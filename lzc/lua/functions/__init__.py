"""The functions of PowerDNS in LUA records: calls on constants, recognised."""

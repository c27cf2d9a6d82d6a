"""lzc: a secondary-friendly zone compiler and signer for PowerDNS LUA records."""

__version__ = "0.1.0"

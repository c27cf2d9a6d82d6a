"""NOTIFY (RFC 1996): telling secondaries about new serials until they have them."""

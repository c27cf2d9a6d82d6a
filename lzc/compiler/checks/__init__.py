"""What may be wrong with a zone, with what secondaries take of it, and with secrets beside it."""

"""The databases of PowerDNS's generic SQL backends: what is to stand there, as SQL and as a
difference to what does."""

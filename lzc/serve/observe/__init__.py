"""What is seen of the server from outside: its log, and what became of transfers."""

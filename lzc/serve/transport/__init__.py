"""Queries and answers over UDP and TCP: sockets, connections, limits, the packet cache."""

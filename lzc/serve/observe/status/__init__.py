"""The status page: what is wrong with a server, and the last hour of it, for people."""

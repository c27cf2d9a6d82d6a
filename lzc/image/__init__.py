"""The octets of a zone: its nodes, its chain of NSEC RRs, its messages for AXFR."""

"""What a function of PowerDNS is described by, and what its description may look at."""

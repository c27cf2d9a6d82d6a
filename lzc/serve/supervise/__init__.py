"""The parent of all processes: what is served, by whom, and what operators are told."""

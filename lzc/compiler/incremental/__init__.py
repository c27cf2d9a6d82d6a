"""What need not be made again: what is remembered of the last build, and what changed since."""
